package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/util/retry"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	nonceMark    = "_"             // between the holder's name and what tells this process from others of that name
	renewEvery   = 2 * time.Second // time between two renewals, and between two tries of one
	requestLimit = Duration / 3    // one that nobody answers leaves time for two more before the Lease expires
)

// Options are what is taken, and by whom.
type Options struct {
	Namespaces []string // those that the target has pods in
	Holder     string   // who takes the Lease, for a reader: a pod, or a user and a machine
	// Observer knows a Lease that was not renewed for its duration, which is
	// taken over at once. Else one that has expired by this machine's clock,
	// which may be wrong, is watched for half its duration first.
	Observer *Observer
}

// Held is a target's Lease in the hands of this process. Its methods may be
// called from any goroutine.
type Held struct {
	cluster  client.Client
	identity string
	seen     []State // the Lease in each namespace when it was free or its holder dead
	// living ends with Release, or with why the Lease was lost.
	living context.Context
	end    context.CancelCauseFunc
	// expiry runs when the Lease was not renewed for its duration; failed is why.
	expiry   *time.Timer
	failed   atomic.Pointer[error]
	electing sync.WaitGroup

	// mu is held during a request, so that there is one at a time.
	mu     sync.Mutex
	leases []*coordinationv1.Lease // as they were last read or written
	ours   bool                    // they were written
	run    string
}

// Take takes a target's Lease, if need be from a dead holder, and renews it until
// [Held.Release]. A [*HeldError] says that another holds it.
func Take(ctx context.Context, cluster client.Client, options Options) (*Held, error) {
	holder := strings.ReplaceAll(options.Holder, nonceMark, "-")
	switch {
	case len(options.Namespaces) == 0:
		return nil, errors.New("take the lease: no service of the target has pods; give services labels and a namespace in the target file")
	case holder == "":
		return nil, errors.New("take the lease: it has no holder's name")
	}
	seen, err := await(ctx, cluster, options)
	if err != nil {
		return nil, err
	}
	h := &Held{cluster: cluster, identity: holder + nonceMark + rand.Text()[:10], seen: seen, leases: make([]*coordinationv1.Lease, len(seen))}
	h.living, h.end = context.WithCancelCause(context.Background())
	h.expiry = time.AfterFunc(Duration, h.expire)
	if err := h.elect(ctx); err != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), Duration)
		defer cancel()
		return nil, errors.Join(err, h.Release(back))
	}
	return h, nil
}

// await returns the Leases when all are free, or their holders dead.
func await(ctx context.Context, cluster client.Client, options Options) ([]State, error) {
	var states []State
	var doubt time.Duration
	for _, namespace := range slices.Compact(slices.Sorted(slices.Values(options.Namespaces))) {
		state, err := Read(ctx, cluster, namespace)
		switch {
		case err != nil:
			return nil, err
		case !state.Held() || options.Observer != nil && !time.Now().Before(options.Observer.See(state)):
		case time.Now().Before(state.Until()):
			return nil, &HeldError{state}
		default:
			doubt = max(doubt, state.Duration/2)
		}
		states = append(states, state)
	}
	select {
	case <-time.After(doubt):
		return states, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("see whether the holder of an expired lease is dead: %w", context.Cause(ctx))
	}
}

// elect starts the leader election, and waits until it is won.
func (h *Held) elect(ctx context.Context) error {
	won := make(chan struct{})
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock:          lock{h},
		LeaseDuration: Duration,
		// It counts from the answer to a renewal; expiry, which counts from the
		// request, says when the Lease is lost.
		RenewDeadline: Duration - time.Second,
		RetryPeriod:   renewEvery,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(won) },
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return fmt.Errorf("take the lease: %w", err)
	}
	// What it logs the lock has as errors.
	h.electing.Go(func() { elector.Run(klog.NewContext(h.living, logr.Discard())) })
	select {
	case <-won:
		return nil
	case <-h.living.Done():
		return context.Cause(h.living)
	case <-ctx.Done():
		return fmt.Errorf("take the lease: %w", context.Cause(ctx))
	}
}

// expire ends the holding for want of a renewal. It waits for no request.
func (h *Held) expire() {
	err := fmt.Errorf("the lease was not renewed for %v", Duration)
	if failed := h.failed.Load(); failed != nil {
		err = fmt.Errorf("%w: %w", err, *failed)
	}
	h.end(err)
}

// Took returns the dead holder that the Lease was taken over from, if any: what it left may be there.
func (h *Held) Took() (dead State, is bool) {
	if at := slices.IndexFunc(h.seen, State.Held); at >= 0 {
		return h.seen[at], true
	}
	return State{}, false
}

// Guard returns a context that ends when the Lease is lost: it could not be
// renewed for its duration, or somebody took or deleted it. stop ends it too.
func (h *Held) Guard(ctx context.Context) (guarded context.Context, stop func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	unwatch := context.AfterFunc(h.living, func() {
		cancel(fmt.Errorf("the target is not ours alone any more: %w", context.Cause(h.living)))
	})
	return guarded, func() {
		unwatch()
		cancel(nil)
	}
}

// Note tells others which run is under way. It waits for an API server that restarts.
func (h *Held) Note(ctx context.Context, run string) error {
	var err error
	// The poll's own error says less than that of the last try.
	_ = wait.PollUntilContextTimeout(ctx, renewEvery/4, requestLimit, true, func(ctx context.Context) (bool, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.run = run
		if err = h.write(ctx, h.leases[0].Spec); changed(err) {
			// A renewal whose answer was lost changed it.
			if err = h.read(ctx); err == nil {
				err = h.write(ctx, h.leases[0].Spec)
			}
		}
		return !Transient(err), nil
	})
	return err
}

// Release gives the Lease up: it is renewed no more, and deleted where it is still ours.
func (h *Held) Release(ctx context.Context) error {
	h.end(nil)
	h.expiry.Stop()
	h.electing.Wait()
	var errs []error
	for _, seen := range h.seen {
		err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
			lease, err := get(ctx, h.cluster, seen.Namespace)
			if err != nil || holderOf(lease) != h.identity {
				return err
			}
			return h.cluster.Delete(ctx, lease, client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion})
		})
		errs = append(errs, explain("give up", seen.Namespace, client.IgnoreNotFound(err)))
	}
	return errors.Join(errs...)
}
