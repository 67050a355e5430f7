package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func createdAndRemoved(ctx context.Context, system System) error {
	for _, object := range []fault.Object{system.Partition(), system.Kill()} {
		hand, err := apply(ctx, system, object)
		if err != nil {
			return err
		}
		if !hand.has(plan.Created) {
			return fmt.Errorf("created was not observed when Apply returned for %s", object.GetName())
		}
		if _, err := hand.await(ctx, system, plan.Injected); err != nil {
			return err
		}
		if hand.has(plan.Removed) {
			return errors.New("removed was observed before anybody removed the object")
		}
		if err := hand.remove(ctx); err != nil {
			return err
		}
		if err := hand.inOrder(); err != nil {
			return err
		}
	}
	return nothingLeft(ctx, system)
}

func removeIsIdempotent(ctx context.Context, system System) error {
	if err := system.Driver.Remove(ctx, system.Partition()); err != nil {
		return fmt.Errorf("remove what was never there: %w", err)
	}
	partition, err := inject(ctx, system, system.Partition())
	if err != nil {
		return err
	}
	for range 2 {
		if err := partition.remove(ctx); err != nil {
			return err
		}
	}
	return errors.Join(partition.inOrder(), passes(ctx, system, "after"))
}

func nothingIsRefused(ctx context.Context, system System) error {
	before, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return err
	}
	record := newRecord()
	if err := system.Driver.Apply(ctx, system.Nothing(), record.observe); err == nil {
		return errors.New("an object that selects nothing was accepted")
	}
	if err := nothingLeft(ctx, system); err != nil {
		return fmt.Errorf("an object that selects nothing was refused: %w", err)
	}
	if err := wait(ctx, system.Quiet); err != nil {
		return err
	}
	for _, event := range record.events() {
		if event != plan.Created && event != plan.Removed {
			return fmt.Errorf("%s was observed for an object that selects nothing", event)
		}
	}
	after, err := awaitAnswer(ctx, system, 0)
	if err != nil {
		return err
	}
	if after != before {
		return errors.New("an object that selects nothing hit the service")
	}
	return nil
}

// cancelLeavesNothing cancels Apply before it begins, and then later and
// later while it is under way.
func cancelLeavesNothing(ctx context.Context, system System) error {
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	before, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return err
	}
	record := newRecord()
	if err := system.Driver.Apply(cancelled, system.Kill(), record.observe); err == nil {
		return errors.New("a cancelled Apply did as if it were not cancelled")
	}
	if err := errors.Join(nothingLeft(ctx, system), wait(ctx, system.Quiet)); err != nil {
		return err
	}
	if record.has(plan.Injected) {
		return errors.New("a fault was injected although Apply was cancelled before it began")
	}
	switch after, err := awaitAnswer(ctx, system, 0); {
	case err != nil:
		return err
	case after != before:
		return errors.New("the service was hit although Apply was cancelled before it began")
	}
	for after := 10 * time.Microsecond; after < 10*time.Millisecond; after *= 2 {
		object := system.Partition()
		short, cancel := context.WithTimeout(ctx, after)
		err := system.Driver.Apply(short, object, newRecord().observe)
		cancel()
		there, listErr := listed(ctx, system, object)
		switch {
		case listErr != nil:
			return listErr
		case err != nil && there:
			return fmt.Errorf("an Apply that was cancelled after %v said %q, and its object is there", after, err)
		case err == nil && !there:
			return errors.New("an Apply returned without an error, and its object is not there")
		}
		if err := system.Driver.Remove(ctx, object); err != nil {
			return fmt.Errorf("remove what was applied: %w", err)
		}
	}
	return errors.Join(nothingLeft(ctx, system), passes(ctx, system, "after"))
}

func leftoversAreListed(ctx context.Context, system System) error {
	if err := nothingLeft(ctx, system); err != nil {
		return fmt.Errorf("before anything was applied: %w", err)
	}
	for _, object := range []fault.Object{system.Partition(), system.Kill()} {
		hand, err := apply(ctx, system, object)
		if err != nil {
			return err
		}
		for _, want := range []bool{true, false} {
			there, err := listed(ctx, system, object)
			if err != nil {
				return err
			}
			if there != want {
				return fmt.Errorf("%s: listed among the leftovers: %v, not %v", object.GetName(), there, want)
			}
			if want {
				if err := hand.remove(ctx); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func twoFaults(ctx context.Context, system System) error {
	partition, err := inject(ctx, system, system.Partition())
	if err != nil {
		return err
	}
	kill, err := inject(ctx, system, system.Kill())
	if err != nil {
		return err
	}
	for _, hand := range []*hand{partition, kill} {
		there, err := listed(ctx, system, hand.object)
		if err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("one of two objects is not listed: %s", hand.object.GetName())
		}
	}
	if _, err := kill.await(ctx, system, plan.Ready); err != nil {
		return err
	}
	if err := kill.remove(ctx); err != nil {
		return err
	}
	there, err := listed(ctx, system, partition.object)
	switch {
	case err != nil:
		return err
	case !there || partition.has(plan.Removed):
		return errors.New("the removal of one fault removed another one")
	case partition.has(plan.Down) || partition.has(plan.Ready):
		return errors.New("the moments of one fault were observed for another one")
	}
	return errors.Join(partition.remove(ctx), partition.inOrder(), kill.inOrder(), nothingLeft(ctx, system))
}
