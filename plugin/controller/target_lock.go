package controller

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
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

// targetLock keeps the target for one user of it at a time, by the target's
// Lease, and clean of what dead runs left.
type targetLock struct {
	Parts
	observer lease.Observer
	left     atomic.Pointer[leftovers]
}

// leftovers is what is known of what dead runs left.
type leftovers struct {
	// faults says that there may be some: no run begins before they are removed.
	// What is left in the system under test can wait.
	faults bool
	// sweepAt is when the next sweep is due; zero when none is.
	sweepAt time.Time
}

// runDied has the target swept, before the next run at the latest.
func (l *targetLock) runDied() { l.left.Store(&leftovers{faults: true, sweepAt: time.Now()}) }

// acquire waits until the target is free, takes it, and removes the faults that
// dead runs left. Each reason to wait goes to tell once.
func (l *targetLock) acquire(ctx context.Context, tell func(string)) (*lease.Held, error) {
	held, err := l.wait(ctx, tell)
	if err != nil {
		return nil, err
	}
	if l.left.Load().faults {
		if err := l.sweep(ctx, held, tell); err != nil {
			l.release(ctx, held)
			return nil, err
		}
	}
	return held, nil
}

// wait waits for the Lease.
func (l *targetLock) wait(ctx context.Context, tell func(string)) (*lease.Held, error) {
	last := ""
	for {
		held, err := l.take(ctx, tell)
		var why string
		busy, isBusy := errors.AsType[*lease.HeldError](err)
		switch {
		case isBusy && busy.Holder == l.Holder:
			why = "waiting until what dead runs left is removed"
		case isBusy:
			why = fmt.Sprintf("waiting until %s gives up the target", busy.State)
		case lease.Transient(err):
			why = fmt.Sprintf("waiting until the API server answers: %v", err)
		default:
			return held, err
		}
		if why != last {
			last = why
			tell(why)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// take takes the Lease, if it is free or its holder dead.
func (l *targetLock) take(ctx context.Context, tell func(string)) (*lease.Held, error) {
	held, err := lease.Take(ctx, l.Cluster, lease.Options{Namespaces: l.Targets, Holder: l.Holder, Observer: &l.observer})
	if err != nil {
		return nil, err
	}
	if dead, took := held.Took(); took {
		l.runDied()
		l.Log.Info("took the target over from a dead holder", "holder", dead.Holder, "run", dead.Run)
		tell(fmt.Sprintf("%s died; removing what it left", dead))
	}
	return held, nil
}

// release gives the target up.
func (l *targetLock) release(ctx context.Context, held *lease.Held) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease.Duration)
	defer cancel()
	if err := held.Release(ctx); err != nil {
		l.Log.Error("the lease expires by itself", "error", err)
	}
}

// Reconcile removes what dead runs left, once at the start and whenever the holder
// of the Lease has died. A Lease in several namespaces is one thing to reconcile.
func (l *targetLock) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var again time.Duration
	dead := false
	for _, namespace := range l.Targets {
		state, err := lease.Read(ctx, l.Cluster, namespace)
		if err != nil {
			return reconcile.Result{}, err
		}
		switch left := time.Until(l.observer.See(state)); {
		case !state.Held():
		case left > 0:
			// The holder's next renewal, or its end, comes by the watch.
			again = max(again, left)
		default:
			dead = true
		}
	}
	at := l.left.Load().sweepAt
	if again == 0 && (dead || !at.IsZero() && !time.Now().Before(at)) {
		held, err := l.take(ctx, func(string) {})
		busy, isBusy := errors.AsType[*lease.HeldError](err)
		switch {
		case isBusy:
			again = max(time.Until(busy.Until()), time.Second)
		case err != nil:
			return reconcile.Result{}, err
		default:
			defer l.release(ctx, held)
			if err := l.sweep(ctx, held, func(string) {}); err != nil && ctx.Err() == nil {
				l.Log.Error("the sweep failed", "error", err, "again", sweepAgain)
			}
			at = l.left.Load().sweepAt
		}
	}
	if again == 0 && !at.IsZero() {
		again = max(time.Until(at), time.Second)
	}
	return reconcile.Result{RequeueAfter: again}, nil
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
		l.left.Store(&leftovers{faults: true, sweepAt: time.Now().Add(sweepAgain)})
		return fmt.Errorf("remove what dead runs left: %w", err)
	case swept.Remains != nil:
		l.left.Store(&leftovers{sweepAt: time.Now().Add(sweepRest)})
	default:
		l.left.Store(&leftovers{})
	}
	return nil
}
