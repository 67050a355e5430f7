package lease

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Held are leases that this process holds. Its methods may be called from any
// goroutine.
type Held struct {
	cluster  client.Client
	identity string
	duration time.Duration
	// began is from when on the leases last: none was claimed before.
	began time.Time
	took  *State

	// mu is held during the requests on the leases, so that there is one at a
	// time.
	mu     sync.Mutex
	leases []*coordinationv1.Lease
	err    error

	// living ends with Release.
	living context.Context
	end    context.CancelFunc
	lost   chan struct{}
	// renewing are the goroutines that renew the leases: one at most.
	renewing sync.WaitGroup
}

func newHeld(cluster client.Client, options Options) *Held {
	held := &Held{
		cluster:  cluster,
		identity: newIdentity(options.Holder),
		duration: options.Duration,
		began:    time.Now(),
		lost:     make(chan struct{}),
	}
	held.living, held.end = context.WithCancel(context.Background())
	return held
}

// Took returns the dead holder that the leases were taken over from, if there
// was one. It may have left faults and resources.
func (h *Held) Took() (State, bool) {
	if h.took == nil {
		return State{}, false
	}
	return *h.took, true
}

// Lost is closed when the leases are not ours any more: they could not be
// renewed for their duration, or somebody took or deleted one.
func (h *Held) Lost() <-chan struct{} { return h.lost }

// Err says why the leases were lost; nil as long as they are not.
func (h *Held) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// Guard returns a context that ends when the leases are lost, and stop, which
// ends it and waits for the end of what Guard started.
func (h *Held) Guard(ctx context.Context) (guarded context.Context, stop func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		select {
		case <-h.lost:
			cancel(fmt.Errorf("the target is not ours alone any more: %w", h.Err()))
		case <-guarded.Done():
		}
	})
	return guarded, func() {
		cancel(nil)
		watching.Wait()
	}
}

// Note tells others which run is under way; an empty name takes that back.
func (h *Held) Note(ctx context.Context, run string) error {
	// No renewal may wait long for this.
	ctx, cancel := context.WithTimeout(ctx, h.duration/3)
	defer cancel()
	for {
		err := h.change(ctx, func(lease *coordinationv1.Lease) {
			if run == "" {
				delete(lease.Annotations, RunAnnotation)
				return
			}
			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, RunAnnotation, run)
		})
		if err == nil || !Passing(err) {
			return err
		}
		timer := time.NewTimer(h.duration / 30)
		select {
		case <-timer.C:
		case <-h.lost:
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil || h.Err() != nil {
			return err
		}
	}
}

// Release gives the leases up: they are not renewed any more, and those that
// are still ours are deleted.
func (h *Held) Release(ctx context.Context) error {
	h.end()
	h.renewing.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	var errs []error
	for _, lease := range h.leases {
		if err := h.delete(ctx, lease); err != nil {
			errs = append(errs, explain("give up", lease.Namespace, err))
		}
	}
	h.leases = nil
	return errors.Join(errs...)
}

// delete deletes a lease that is ours, and lets one that is not alone.
func (h *Held) delete(ctx context.Context, lease *coordinationv1.Lease) error {
	for {
		err := h.cluster.Delete(ctx, lease, client.Preconditions{UID: &lease.UID, ResourceVersion: &lease.ResourceVersion})
		if !apierrors.IsConflict(err) {
			return client.IgnoreNotFound(err)
		}
		fresh, err := h.reread(ctx, lease)
		switch {
		case errors.As(err, new(*takenError)):
			return nil
		case err != nil:
			return err
		}
		lease = fresh
	}
}

// keep renews the leases until they are released or lost.
func (h *Held) keep() {
	deadline := h.began.Add(h.duration)
	wait := time.Until(h.began.Add(h.duration / 3))
	var failed error
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-h.living.Done():
			timer.Stop()
			return
		}
		at := time.Now()
		if !at.Before(deadline) {
			h.lose(expired(h.duration, failed))
			return
		}
		failed = h.renew(at, deadline)
		switch {
		case h.living.Err() != nil:
			return
		case failed == nil:
			deadline, wait = at.Add(h.duration), h.duration/3
		case errors.As(failed, new(*takenError)):
			h.lose(failed)
			return
		default:
			// An API server that is out of reach may be back any moment.
			wait = min(h.duration/30, time.Until(deadline))
		}
	}
}

func expired(after time.Duration, why error) error {
	if why == nil {
		return fmt.Errorf("the lease was not renewed for %v", after)
	}
	return fmt.Errorf("the lease was not renewed for %v: %w", after, why)
}

// renew renews the leases. It waits for an answer no longer than they last:
// from the deadline on another may hold them.
func (h *Held) renew(at, deadline time.Time) error {
	ctx, cancel := context.WithTimeout(h.living, min(h.duration/3, deadline.Sub(at)))
	defer cancel()
	return h.change(ctx, func(lease *coordinationv1.Lease) {
		now := metav1.NewMicroTime(at)
		lease.Spec.RenewTime = &now
	})
}

func (h *Held) lose(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = err
	close(h.lost)
}

// change changes every lease as long as it is ours.
func (h *Held) change(ctx context.Context, edit func(*coordinationv1.Lease)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, lease := range h.leases {
		changed, err := h.update(ctx, lease, edit)
		if err != nil {
			return err
		}
		h.leases[i] = changed
	}
	return nil
}

func (h *Held) update(ctx context.Context, lease *coordinationv1.Lease, edit func(*coordinationv1.Lease)) (*coordinationv1.Lease, error) {
	for {
		changed := lease.DeepCopy()
		edit(changed)
		err := h.cluster.Update(ctx, changed)
		switch {
		case err == nil:
			return changed, nil
		case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
			// An update whose answer was lost changed it too.
			if lease, err = h.reread(ctx, lease); err != nil {
				return nil, err
			}
		default:
			return nil, explain("renew", lease.Namespace, err)
		}
	}
}

// reread reads a lease that was changed; a [*takenError] says that it is not
// ours any more.
func (h *Held) reread(ctx context.Context, lease *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	fresh := &coordinationv1.Lease{}
	err := h.cluster.Get(ctx, client.ObjectKeyFromObject(lease), fresh)
	switch {
	case apierrors.IsNotFound(err):
		return nil, &takenError{namespace: lease.Namespace}
	case err != nil:
		return nil, explain("read", lease.Namespace, err)
	case fresh.Spec.HolderIdentity == nil || *fresh.Spec.HolderIdentity != h.identity:
		return nil, &takenError{namespace: lease.Namespace, by: stateOf(fresh).String()}
	}
	return fresh, nil
}

// takenError says that a lease is not ours any more.
type takenError struct {
	namespace string
	// by is empty when it was deleted.
	by string
}

func (e *takenError) Error() string {
	if e.by == "" {
		return fmt.Sprintf("somebody deleted the lease %s in namespace %s", Name, e.namespace)
	}
	return fmt.Sprintf("%s took the lease %s in namespace %s over", e.by, Name, e.namespace)
}
