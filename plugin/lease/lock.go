package lease

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lock is a target's Lease as leader election sees it. client-go's own LeaseLock
// has no place for several namespaces, the annotation with the run and a holder
// that is known to be dead, and does not end the holding at once when another
// holds the Lease or somebody deleted it.
type lock struct{ held *Held }

var _ resourcelock.Interface = lock{}

func (l lock) Identity() string   { return l.held.identity }
func (l lock) Describe() string   { return Name }
func (l lock) RecordEvent(string) {}

// Get returns a record without a holder when the Lease is to be had: its holder
// is dead, or there is none. The raw record would tell the elector of another
// holder's renewals, for which read ends the holding.
func (l lock) Get(ctx context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	h := l.held
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.read(ctx); err != nil {
		return nil, nil, err
	}
	record := resourcelock.LeaseSpecToLeaderElectionRecord(&h.leases[0].Spec)
	if !h.ours {
		record.HolderIdentity = ""
	}
	return record, nil, nil
}

// Create is not called, since Get returns a Lease even where there is none.
func (l lock) Create(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, record)
}

func (l lock) Update(ctx context.Context, record resourcelock.LeaderElectionRecord) error {
	l.held.mu.Lock()
	defer l.held.mu.Unlock()
	return l.held.write(ctx, resourcelock.LeaderElectionRecordToLeaseSpec(&record))
}

// write creates the Lease, takes it over or renews it.
func (h *Held) write(ctx context.Context, spec coordinationv1.LeaseSpec) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	for i := range h.leases {
		written := h.leases[i].DeepCopy()
		written.Spec = spec
		delete(written.Annotations, RunAnnotation)
		if h.run != "" {
			metav1.SetMetaDataAnnotation(&written.ObjectMeta, RunAnnotation, h.run)
		}
		var err error
		if written.ResourceVersion == "" {
			err = explain("create", written.Namespace, h.cluster.Create(ctx, written))
		} else {
			err = explain("renew", written.Namespace, h.cluster.Update(ctx, written))
		}
		if err != nil {
			h.failed.Store(&err)
			if !h.ours && !changed(err) {
				h.end(err)
			}
			return err
		}
		h.leases[i] = written
	}
	h.ours = true
	// From then on another may take it.
	h.expiry.Reset(time.Until(spec.RenewTime.Add(Duration)))
	return nil
}

// changed reports whether a write failed since the Lease is not as it was read.
func changed(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsNotFound(err) || apierrors.IsAlreadyExists(err)
}

// read reads the Lease, and ends the holding when that is another's.
func (h *Held) read(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	for i, seen := range h.seen {
		lease, err := get(ctx, h.cluster, seen.Namespace)
		holder := holderOf(lease)
		switch {
		case client.IgnoreNotFound(err) != nil:
			err = explain("read", seen.Namespace, err)
			if h.ours {
				return err
			}
		case holder == h.identity, !h.ours && (holder == "" || lease.ResourceVersion == seen.version):
			h.leases[i] = lease
			continue
		case holder == "":
			err = fmt.Errorf("somebody deleted the lease %s in namespace %s", Name, seen.Namespace)
		case h.ours:
			err = fmt.Errorf("%s took the lease %s in namespace %s over", stateOf(lease), Name, seen.Namespace)
		default:
			alive := stateOf(lease)
			alive.Renewed = time.Now()
			err = &HeldError{alive}
		}
		h.end(err)
		return err
	}
	return nil
}
