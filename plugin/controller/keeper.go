package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// keeper keeps the target for one user of it at a time, this controller's own
// included, and clean of what dead runs left.
type keeper struct {
	cluster    client.Client
	runner     Runner
	metrics    *metrics
	log        *slog.Logger
	namespaces []string
	holder     string
	observer   lease.Observer
	// turn has room for one: whoever put something there has the target,
	// as far as this process goes.
	turn chan struct{}

	mu sync.Mutex
	// left is what dead runs may have left, and next when the sweeper may try
	// to remove it.
	left leftovers
	next time.Time
	// changed is closed when a lease changed.
	changed chan struct{}
	// looked says that the first look for what a former self left has ended,
	// and begun is when it could begin.
	looked bool
	begun  time.Time
}

// firstLook is how long the controller keeps people off the target for its
// first look. An EMCO that does not answer can draw it out.
const firstLook = 30 * time.Second

// leftovers is what dead runs may have left.
type leftovers int

const (
	nothing leftovers = iota
	// resources in the target harm no other run.
	resources
	// faults do: they are removed before anything else is done.
	faults
)

func newKeeper(parts Parts, metrics *metrics) *keeper {
	return &keeper{
		cluster: parts.Cluster, runner: parts.Runner, metrics: metrics, log: parts.Log,
		namespaces: parts.Targets, holder: parts.Holder,
		turn: make(chan struct{}, 1),
		// A former self may have died without a trace of its leases.
		left:    faults,
		changed: make(chan struct{}),
		begun:   time.Now(),
	}
}

// look says that a look for what dead runs left has ended, however it did.
func (k *keeper) look() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looked = true
}

// open says whether the target is people's to use: they would find it held
// during the first look.
func (k *keeper) open() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.looked || time.Since(k.begun) >= firstLook
}

// news says that a lease changed.
func (k *keeper) news() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.changed)
	k.changed = make(chan struct{})
}

// change is closed when a lease changes.
func (k *keeper) change() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}

// due is what dead runs may have left, and when the sweeper may remove it.
func (k *keeper) due() (left leftovers, at time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.left, k.next
}

// soil says that a run has died that may have left something.
func (k *keeper) soil() { k.set(faults, 0) }

func (k *keeper) set(left leftovers, rest time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left, k.next = left, time.Now().Add(rest)
}

// holding is the target in our hands.
type holding struct {
	*lease.Held
	keeper *keeper
}

// hold makes a holding of leases that were taken.
func (k *keeper) hold(held *lease.Held, tell func(string)) *holding {
	if dead, took := held.Took(); took {
		k.soil()
		k.log.Info("took the target over from a dead holder", "holder", dead.Holder, "run", dead.Run)
		tell(fmt.Sprintf("%s died; removing what it left", dead))
	}
	return &holding{Held: held, keeper: k}
}

// release gives the target up.
func (h *holding) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lease.Duration)
	defer cancel()
	if err := h.Held.Release(ctx); err != nil {
		h.keeper.log.Error("the lease expires by itself", "error", err)
	}
	<-h.keeper.turn
}

// acquire waits until the target is free and clean, and takes it. Why it waits
// goes to tell, and is told once.
func (k *keeper) acquire(ctx context.Context, tell func(string)) (*holding, error) {
	select {
	case k.turn <- struct{}{}:
	default:
		tell("waiting until what dead runs left is removed")
		select {
		case k.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait until what dead runs left is removed: %w", context.Cause(ctx))
		}
	}
	held, err := k.take(ctx, tell)
	if err != nil {
		<-k.turn
		return nil, err
	}
	mine := k.hold(held, tell)
	if left, _ := k.due(); left == faults {
		if err := k.clean(ctx, mine, tell); err != nil {
			mine.release(ctx)
			return nil, err
		}
	}
	return mine, nil
}

// take waits for the leases, and takes them.
func (k *keeper) take(ctx context.Context, tell func(string)) (*lease.Held, error) {
	told := ""
	for {
		changed := k.change()
		held, err := lease.Take(ctx, k.cluster, lease.Options{
			Namespaces: k.namespaces, Holder: k.holder, Observer: &k.observer,
		})
		var why string
		wait := time.Second
		busy, isBusy := errors.AsType[*lease.HeldError](err)
		switch {
		case isBusy:
			why = fmt.Sprintf("waiting until %s gives up the target", busy.State)
			// A renewal is told by the watch; this is for a holder that dies.
			wait = max(time.Until(busy.Until()), wait)
		case err != nil && lease.Transient(err):
			why = fmt.Sprintf("waiting until the API server answers: %v", err)
		default:
			return held, err
		}
		if why != told {
			told = why
			tell(why)
		}
		timer := time.NewTimer(wait)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		timer.Stop()
	}
}

// clean removes what dead runs left, on a target that is ours.
func (k *keeper) clean(ctx context.Context, held *holding, tell func(string)) error {
	guarded, stop := held.Guard(ctx)
	defer stop()
	swept, err := k.runner.Sweep(guarded, func(text string) {
		k.log.Info("sweep: " + text)
		tell(text)
	})
	k.metrics.removed(swept)
	switch {
	case err != nil:
		k.set(faults, sweepAgain)
		return fmt.Errorf("remove what dead runs left: %w", err)
	case swept.Remains != nil:
		k.set(resources, sweepRest)
	default:
		k.set(nothing, 0)
	}
	return nil
}
