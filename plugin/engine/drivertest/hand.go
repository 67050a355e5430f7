package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// hand has one fault in it.
type hand struct {
	system System
	object fault.Object
	*record
}

// apply applies an object.
func apply(ctx context.Context, system System, object fault.Object) (*hand, error) {
	h := &hand{system: system, object: object, record: newRecord()}
	if err := system.Driver.Apply(ctx, object, h.observe); err != nil {
		return nil, fmt.Errorf("apply %s: %w", object.GetName(), err)
	}
	return h, nil
}

// inject applies an object and waits until it is injected.
func inject(ctx context.Context, system System, object fault.Object) (*hand, error) {
	h, err := apply(ctx, system, object)
	if err != nil {
		return nil, err
	}
	_, err = h.await(ctx, system, plan.Injected)
	return h, err
}

// remove removes the object. It is an error if Removed was not observed.
func (h *hand) remove(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, h.system.Patience)
	defer cancel()
	if err := h.system.Driver.Remove(limited, h.object); err != nil {
		return fmt.Errorf("remove %s: %w", h.object.GetName(), err)
	}
	if !h.has(plan.Removed) {
		return errors.New("removed was not observed when Remove returned")
	}
	return nil
}

// listed reports whether the object is among the leftovers.
func listed(ctx context.Context, system System, object fault.Object) (bool, error) {
	objects, err := system.Driver.Leftovers(ctx)
	if err != nil {
		return false, fmt.Errorf("list the leftovers: %w", err)
	}
	return slices.ContainsFunc(objects, func(other fault.Object) bool {
		return fmt.Sprintf("%T", other) == fmt.Sprintf("%T", object) &&
			other.GetName() == object.GetName() && other.GetNamespace() == object.GetNamespace()
	}), nil
}

// nothingLeft is an error while an object that was applied is still there.
func nothingLeft(ctx context.Context, system System) error {
	objects, err := system.Driver.Leftovers(ctx)
	if err != nil {
		return fmt.Errorf("list the leftovers: %w", err)
	}
	if len(objects) > 0 {
		return fmt.Errorf("%d objects are left, such as %s", len(objects), objects[0].GetName())
	}
	return nil
}

// sending is a message that is on its way.
type sending struct {
	message string
	done    chan struct{}
	err     error
}

func send(ctx context.Context, system System, message string) *sending {
	s := &sending{message: message, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = system.Send(ctx, message)
	}()
	return s
}

// errOnItsWay is the error of a message that was neither confirmed nor lost.
var errOnItsWay = errors.New("it is still on its way")

// result waits for the end of the sending.
func (s *sending) result(ctx context.Context, system System) error {
	timer := time.NewTimer(system.Patience)
	defer timer.Stop()
	select {
	case <-s.done:
		return s.err
	case <-timer.C:
		return fmt.Errorf("message %s, after %v: %w", s.message, system.Patience, errOnItsWay)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// held is an error unless the message stays on its way while all is quiet.
func (s *sending) held(ctx context.Context, system System) error {
	if err := wait(ctx, system.Quiet); err != nil {
		return err
	}
	select {
	case <-s.done:
		if s.err != nil {
			return fmt.Errorf("message %s is not held, it failed: %w", s.message, s.err)
		}
		return fmt.Errorf("message %s is not held: it was confirmed", s.message)
	default:
	}
	return arrived(ctx, system, s.message, 0)
}

// arrived is an error unless the back end has received a message that often.
func arrived(ctx context.Context, system System, message string, times int) error {
	count, err := system.Received(ctx, message)
	if err != nil {
		return fmt.Errorf("ask the back end: %w", err)
	}
	if count != times {
		return fmt.Errorf("message %s arrived %d times, not %d", message, count, times)
	}
	return nil
}

// passes is an error unless a new message arrives.
func passes(ctx context.Context, system System, message string) error {
	limited, cancel := context.WithTimeout(ctx, system.Patience)
	defer cancel()
	if err := system.Send(limited, message); err != nil {
		return fmt.Errorf("send message %s: %w", message, err)
	}
	return arrived(ctx, system, message, 1)
}

// wait waits, to see that nothing happens.
func wait(ctx context.Context, long time.Duration) error {
	select {
	case <-time.After(long):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
