package controller

import (
	"context"
	"errors"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

const (
	// sweepAgain is how long after a sweep that failed the next one comes.
	sweepAgain = 15 * time.Second
	// turnAgain is how long after the turn was another's it is asked for again.
	turnAgain = time.Second
	// sweepRest is how long after one that could not remove all it is.
	sweepRest = 5 * time.Minute
)

// sweeper sweeps when the holder of the target's leases has died, and once at
// the start. All leases are one thing to reconcile.
type sweeper struct {
	keeper *keeper
	leases client.Reader
}

// Reconcile looks at the leases, and sweeps if that is due and nobody alive
// holds them.
func (s *sweeper) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	k := s.keeper
	defer k.look()
	k.news()
	dead, wait := false, time.Duration(0)
	for _, namespace := range k.namespaces {
		state, err := lease.Read(ctx, s.leases, namespace)
		if err != nil {
			return reconcile.Result{}, err
		}
		if !state.Held() {
			continue
		}
		if left := time.Until(k.observer.See(state)); left > 0 {
			wait = max(wait, left)
		} else {
			dead = true
		}
	}
	if wait > 0 {
		// Its next renewal, or its end, comes by the watch.
		return reconcile.Result{RequeueAfter: wait}, nil
	}
	if left, at := k.due(); !dead && (left == nothing || time.Now().Before(at)) {
		return s.rest(), nil
	}
	return s.sweep(ctx)
}

func (s *sweeper) sweep(ctx context.Context) (reconcile.Result, error) {
	k := s.keeper
	select {
	case k.turn <- struct{}{}:
	default:
		// Whoever has the turn takes the leases over, and sweeps, or is about
		// to give it up, having given up the leases.
		return reconcile.Result{RequeueAfter: turnAgain}, nil
	}
	held, err := lease.Take(ctx, k.cluster, lease.Options{Namespaces: k.namespaces, Holder: k.holder, Observer: &k.observer})
	if err != nil {
		<-k.turn
		if busy, isBusy := errors.AsType[*lease.HeldError](err); isBusy {
			return reconcile.Result{RequeueAfter: max(time.Until(busy.Until()), time.Second)}, nil
		}
		return reconcile.Result{}, err
	}
	mine := k.hold(held, func(string) {})
	defer mine.release(ctx)
	if err := k.clean(ctx, mine, func(string) {}); err != nil && ctx.Err() == nil {
		k.log.Error("the sweep failed", "error", err, "again", sweepAgain)
	}
	return s.rest(), nil
}

// rest says when to look again although nothing changed.
func (s *sweeper) rest() reconcile.Result {
	if left, at := s.keeper.due(); left != nothing {
		return reconcile.Result{RequeueAfter: max(time.Until(at), time.Second)}
	}
	return reconcile.Result{}
}
