package drivertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// trial is one check of one system. The first thing that is wrong ends it, as
// Fatal ends a test: most methods return only when all is well.
type trial struct {
	System
	ctx context.Context
	err error
}

// fail ends the trial: nothing of its goroutine runs after this but what was
// deferred.
func (t *trial) fail(format string, args ...any) {
	t.err = fmt.Errorf(format, args...)
	runtime.Goexit()
}

// must fails if there is an error, and says during what.
func (t *trial) must(err error, doing string) {
	if err != nil {
		t.fail("%s: %w", doing, err)
	}
}

// apply applies an object.
func (t *trial) apply(object fault.Object) *hand {
	h := newHand(t, object)
	t.must(t.Driver.Apply(t.ctx, object, h.observe), "apply "+object.GetName())
	return h
}

// inject applies an object and waits until it is injected.
func (t *trial) inject(object fault.Object) *hand {
	h := t.apply(object)
	h.await(plan.Injected)
	return h
}

// leftovers are the objects that the driver lists.
func (t *trial) leftovers() []fault.Object {
	objects, err := t.Driver.Leftovers(t.ctx)
	t.must(err, "list the leftovers")
	return objects
}

// listed reports whether the object is among the leftovers.
func (t *trial) listed(object fault.Object) bool {
	return slices.ContainsFunc(t.leftovers(), func(other fault.Object) bool {
		return fault.NameOf(other) == fault.NameOf(object) &&
			other.GetName() == object.GetName() && other.GetNamespace() == object.GetNamespace()
	})
}

// nothingLeft fails while an object that was applied is still there.
func (t *trial) nothingLeft() {
	if objects := t.leftovers(); len(objects) > 0 {
		t.fail("%d objects are left, such as %s", len(objects), objects[0].GetName())
	}
}

// answer asks until an instance answers, no longer than limit, and at least once.
func (t *trial) answer(limit time.Duration) (instance string) {
	var err error
	late := wait.PollUntilContextTimeout(t.ctx, askEvery, limit, true, func(context.Context) (bool, error) {
		limited, cancel := context.WithTimeout(t.ctx, askLimit)
		defer cancel()
		instance, err = t.Ask(limited)
		return err == nil, nil
	})
	if late != nil {
		t.fail("the service does not answer within %v: %w", limit, err)
	}
	return instance
}

// pause waits, to see that nothing happens.
func (t *trial) pause(long time.Duration) {
	select {
	case <-time.After(long):
	case <-t.ctx.Done():
		t.fail("%w", t.ctx.Err())
	}
}

// passes fails unless a new message arrives.
func (t *trial) passes(message string) {
	limited, cancel := context.WithTimeout(t.ctx, t.Patience)
	defer cancel()
	t.must(t.Send(limited, message), "send message "+message)
	t.arrived(message, 1)
}

// arrived fails unless the back end has received a message that often.
func (t *trial) arrived(message string, times int) {
	count, err := t.Received(t.ctx, message)
	t.must(err, "ask the back end")
	if count != times {
		t.fail("message %s arrived %d times, not %d", message, count, times)
	}
}

// sending is a message that is on its way.
type sending struct {
	*trial
	message string
	done    chan struct{}
	outcome error
}

func (t *trial) send(message string) *sending {
	s := &sending{trial: t, message: message, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.outcome = t.Send(t.ctx, message)
	}()
	return s
}

// errOnItsWay is the error of a message that was neither confirmed nor lost.
var errOnItsWay = errors.New("it is still on its way")

// result waits for the end of the sending.
func (s *sending) result() error {
	select {
	case <-s.done:
		return s.outcome
	case <-time.After(s.Patience):
		return fmt.Errorf("message %s, after %v: %w", s.message, s.Patience, errOnItsWay)
	}
}

// held fails unless the message stays on its way while all is quiet.
func (s *sending) held() {
	s.pause(s.Quiet)
	select {
	case <-s.done:
		s.must(s.outcome, "message "+s.message+" is not held, it failed")
		s.fail("message %s is not held: it was confirmed", s.message)
	default:
	}
	s.arrived(s.message, 0)
}
