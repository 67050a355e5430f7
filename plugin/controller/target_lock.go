package controller

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// targetLock keeps the target for one user of it at a time, by the target's
// Lease, and clean of what dead runs left.
type targetLock struct {
	Parts
	observer lease.Observer

	mu sync.Mutex
	// faults says that dead runs may have left faults: no run begins before
	// they are removed. What they left in the system under test can wait.
	faults bool
	// sweepAt is when the next sweep is due; zero when none is.
	sweepAt time.Time
}

func newTargetLock(parts Parts) *targetLock {
	l := &targetLock{Parts: parts}
	// The process before this one may have died without a trace of its Lease.
	l.runDied()
	return l
}

// runDied has the target swept, before the next run at the latest.
func (l *targetLock) runDied() { l.plan(true, time.Now()) }

// plan sets what is known of the target's state, and when it is to be swept.
func (l *targetLock) plan(faults bool, sweepAt time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.faults, l.sweepAt = faults, sweepAt
}

// nextSweep returns when a sweep is due, and whether one is at all.
func (l *targetLock) nextSweep() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sweepAt, !l.sweepAt.IsZero()
}

// acquire waits until the target is free, takes it, and removes the faults that
// dead runs left. Each reason to wait goes to tell once.
func (l *targetLock) acquire(ctx context.Context, tell func(string)) (*lease.Held, error) {
	held, err := l.wait(ctx, tell)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	faults := l.faults
	l.mu.Unlock()
	if faults {
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
