package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

const (
	// sweepAgain is the time from a sweep that failed to the next one.
	sweepAgain = 15 * time.Second
	// sweepRest is that from a sweep that left something in the system under
	// test, which harms no run.
	sweepRest = 5 * time.Minute
)

// sweeper is the reconciler of the target's Lease: it removes what dead runs
// left, once at the start and whenever the holder has died. A Lease in several
// namespaces is one thing to reconcile.
type sweeper struct{ *targetLock }

// Reconcile sweeps if that is due and nobody alive holds the target.
func (s sweeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var alive time.Duration
	dead := false
	for _, namespace := range s.Targets {
		state, err := lease.Read(ctx, s.Leases, namespace)
		if err != nil {
			return reconcile.Result{}, err
		}
		switch left := time.Until(s.observer.See(state)); {
		case !state.Held():
		case left > 0:
			alive = max(alive, left)
		default:
			dead = true
		}
	}
	at, planned := s.nextSweep()
	if alive == 0 && (dead || planned && !time.Now().Before(at)) {
		held, err := s.take(ctx, func(string) {})
		if busy, isBusy := errors.AsType[*lease.HeldError](err); isBusy {
			alive = max(time.Until(busy.Until()), time.Second)
		} else if err != nil {
			return reconcile.Result{}, err
		} else {
			defer s.release(ctx, held)
			if err := s.sweep(ctx, held, func(string) {}); err != nil && ctx.Err() == nil {
				s.Log.Error("the sweep failed", "error", err, "again", sweepAgain)
			}
			at, planned = s.nextSweep()
		}
	}
	switch {
	case alive > 0:
		// The holder's next renewal, or its end, comes by the watch.
		return reconcile.Result{RequeueAfter: alive}, nil
	case planned:
		return reconcile.Result{RequeueAfter: max(time.Until(at), time.Second)}, nil
	}
	return reconcile.Result{}, nil
}

// sweep removes what dead runs left, on a target that is ours.
func (l *targetLock) sweep(ctx context.Context, held *lease.Held, tell func(string)) error {
	guarded, stop := held.Guard(ctx)
	defer stop()
	swept, err := l.Runner.Sweep(guarded, func(text string) {
		l.Log.Info("sweep: " + text)
		tell(text)
	})
	l.metrics.sweptUp(swept, err)
	switch {
	case err != nil:
		l.plan(true, time.Now().Add(sweepAgain))
		return fmt.Errorf("remove what dead runs left: %w", err)
	case swept.Remains != nil:
		l.plan(false, time.Now().Add(sweepRest))
	default:
		l.plan(false, time.Time{})
	}
	return nil
}
