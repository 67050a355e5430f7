package drivertest

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func createdAndRemoved(t *trial) {
	for _, object := range []fault.Object{t.Partition(), t.Kill()} {
		hand := t.apply(object)
		if !hand.has(plan.Created) {
			t.fail("created was not observed when Apply returned for %s", object.GetName())
		}
		hand.await(plan.Injected)
		if hand.has(plan.Removed) {
			t.fail("removed was observed before anybody removed the object")
		}
		hand.remove()
		hand.inOrder()
	}
	t.nothingLeft()
}

func removeIsIdempotent(t *trial) {
	t.must(t.Driver.Remove(t.ctx, t.Partition()), "remove what was never there")
	partition := t.inject(t.Partition())
	partition.remove()
	partition.remove()
	partition.inOrder()
	t.passes("after")
}

// refused fails unless the driver refuses the object, and nothing comes of it.
func (t *trial) refused(ctx context.Context, object fault.Object, what string) {
	before := t.answer(t.Patience)
	hand := newHand(t, object)
	if err := t.Driver.Apply(ctx, object, hand.observe); err == nil {
		t.fail("%s was accepted", what)
	}
	t.nothingLeft()
	t.pause(t.Quiet)
	for _, event := range hand.events() {
		if event != plan.Created && event != plan.Removed {
			t.fail("%s was observed for %s", event, what)
		}
	}
	if t.answer(0) != before {
		t.fail("%s hit the service", what)
	}
}

func nothingIsRefused(t *trial) {
	t.refused(t.ctx, t.Nothing(), "an object that selects nothing")
}

// cancelLeavesNothing cancels Apply before it begins, and then later and
// later while it is under way.
func cancelLeavesNothing(t *trial) {
	cancelled, cancel := context.WithCancel(t.ctx)
	cancel()
	t.refused(cancelled, t.Kill(), "an object whose Apply was cancelled before it began")
	for after := 10 * time.Microsecond; after < 10*time.Millisecond; after *= 2 {
		object := t.Partition()
		short, cancel := context.WithTimeout(t.ctx, after)
		err := t.Driver.Apply(short, object, newHand(t, object).observe)
		cancel()
		switch there := t.listed(object); {
		case err != nil && there:
			t.fail("an Apply that was cancelled after %v said %q, and its object is there", after, err)
		case err == nil && !there:
			t.fail("an Apply returned without an error, and its object is not there")
		}
		t.must(t.Driver.Remove(t.ctx, object), "remove what was applied")
	}
	t.nothingLeft()
	t.passes("after")
}

func leftoversAreListed(t *trial) {
	t.nothingLeft()
	for _, object := range []fault.Object{t.Partition(), t.Kill()} {
		hand := t.apply(object)
		if !t.listed(object) {
			t.fail("%s is applied, and not among the leftovers", object.GetName())
		}
		hand.remove()
		if t.listed(object) {
			t.fail("%s is removed, and still among the leftovers", object.GetName())
		}
	}
}

func twoFaults(t *trial) {
	partition, kill := t.inject(t.Partition()), t.inject(t.Kill())
	for _, hand := range []*hand{partition, kill} {
		if !t.listed(hand.object) {
			t.fail("one of two objects is not listed: %s", hand.object.GetName())
		}
	}
	kill.await(plan.Ready)
	kill.remove()
	switch {
	case !t.listed(partition.object) || partition.has(plan.Removed):
		t.fail("the removal of one fault removed another one")
	case partition.has(plan.Down) || partition.has(plan.Ready):
		t.fail("the moments of one fault were observed for another one")
	}
	partition.remove()
	partition.inOrder()
	kill.inOrder()
	t.nothingLeft()
}
