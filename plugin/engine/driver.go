package engine

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// Driver puts faults on a system and watches them. A Kubernetes cluster with
// Chaos Mesh is one; processes on this machine are another. Every driver
// passes the suite of package drivertest.
type Driver interface {
	// Apply creates the object and returns when the system has accepted it.
	// What the driver sees of the fault afterwards goes to observe, which
	// does not block, does not call the driver, and may be called from any
	// goroutine, one call at a time for one object. After Remove has returned
	// only Rescheduled and Ready may still come.
	// Created is observed before Apply returns.
	// An object that selects nothing is refused, and nothing is left of it.
	Apply(ctx context.Context, object fault.Object, observe func(Moment)) error
	// Remove deletes the object and returns when it has been seen gone; to
	// remove what is not there is no error. Removed is observed before
	// Remove returns. What the fault stopped comes back by itself.
	Remove(ctx context.Context, object fault.Object) error
	// Leftovers lists the objects of emco-chaos that are there, of whatever
	// run. That a fault may still be on whose object is gone is an error.
	Leftovers(ctx context.Context) ([]fault.Object, error)
}

// Checker is a Driver that can check beforehand whether it would refuse an
// object: the run is then refused before it makes anything.
type Checker interface {
	// Check returns why Apply would refuse the object now, or nil.
	Check(ctx context.Context, object fault.Object) error
}

// Watcher is a Driver that watches all pods of the target's services.
type Watcher interface {
	// Watch observes each pod or process that goes down, restarts, is moved or
	// stops being ready, until ctx ends. A fault of this driver explains what
	// happens to the pods that it named from its Apply until what serves in
	// their place is Ready; that is not observed. Observe does not block. There is
	// one watcher at a time.
	Watch(ctx context.Context, observe func(Disturbance)) error
}

// Versioned is a Driver that knows the versions of what it works on, by name.
type Versioned interface {
	Versions(ctx context.Context) map[string]string
}

// Disturbance is something that happened to a service beside the run's faults.
type Disturbance struct {
	Service string
	At      time.Time
	// Text describes it, such as "process 17 of pod rsync has gone: killed".
	Text string
}

// Moment is something that a driver saw happen to a fault.
type Moment struct {
	// Event is one of the fault events of package plan, or empty for an
	// observation that nothing may wait for.
	Event string
	// At is when the driver saw it, by the clock of this process. After is when
	// it last knew the opposite, if that is not just before At: what happened lies
	// between them.
	At, After time.Time
	// Told is the system's own time of it, by the system's clock and in whole
	// seconds; zero when it tells none.
	Told time.Time
	// Detail is for a reader, such as which pod or process it was.
	Detail string
	// Err is why the fault cannot be injected; Event is empty. After Injected it
	// is what is wrong with the fault since, such as a duration that was over
	// or an object that somebody else deleted.
	Err error
}
