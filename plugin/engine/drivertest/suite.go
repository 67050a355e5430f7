// Package drivertest is the suite that every [engine.Driver] passes. It looks
// at what a driver does from outside, through the service that the faults
// hit, and compares it with what the driver reports.
package drivertest

import (
	"context"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// System is a driver, and a system that it puts faults on: a service of one
// instance that passes messages on to a back end.
type System struct {
	Driver engine.Driver

	// Each of these makes a new object, with a name of its own and a duration
	// of at least twice Patience.

	// Kill kills the service; it comes back by itself.
	Kill func() fault.Object
	// Failure keeps the service down until it is removed.
	Failure func() fault.Object
	// Partition cuts the service off from its back end, both ways.
	Partition func() fault.Object
	// Delay delays what goes between them by Latency, both ways. It is nil
	// where the system cannot do that.
	Delay func() fault.Object
	// Nothing is like Kill, and selects nothing.
	Nothing func() fault.Object

	// Latency is the delay of Delay.
	Latency time.Duration

	// Ask asks the service from outside for the name of the instance that
	// answers. Each instance has a name that none had before.
	Ask func(ctx context.Context) (instance string, err error)
	// Send has the service send a message to its back end, and returns when
	// the back end has confirmed it.
	Send func(ctx context.Context, message string) error
	// Crash has the service's process end by itself.
	Crash func(ctx context.Context) error
	// Received is how often the back end has received a message; asked from
	// outside, on a way that no fault is on.
	Received func(ctx context.Context, message string) (int, error)

	// Patience is how long anything may take that must happen.
	Patience time.Duration
	// Quiet is how long nothing is to be seen of what must not happen.
	Quiet time.Duration
	// Lag is how long a service that is ready may still be out of reach from
	// outside, and what a removed fault held still on its way.
	Lag time.Duration
}

// Check is one thing that every driver must do.
type Check struct {
	Name  string
	check func(*trial)
}

// Checks are all checks of the suite.
func Checks() []Check {
	return []Check{
		{"kill: moments in order and true", killIsTrue},
		{"kill: removed while the service is away", removeBeforeReady},
		{"kill: twice, one after the other", killTwice},
		{"failure: down until removed", failureLasts},
		{"watch: what no fault did, and nothing else", watchIsTrue},
		{"partition: holds a request and releases it", partitionHolds},
		{"partition: a killed source's request never arrives", deadRequestIsLost},
		{"partition: a replacement is free of it", replacementIsFree},
		{"partition: removed after its source died", removeAfterDeath},
		{"partition: ends by itself when its duration is over", durationEnds},
		{"delay: delays, and no longer than it is there", delayDelays},
		{"object: created before Apply returns, removed before Remove returns", createdAndRemoved},
		{"object: removed twice, and without having been there", removeIsIdempotent},
		{"object: one that selects nothing is refused", nothingIsRefused},
		{"object: a cancelled Apply leaves nothing", cancelLeavesNothing},
		{"object: listed while it is there", leftoversAreListed},
		{"two faults at once", twoFaults},
	}
}

// Run returns what is wrong with the driver of the system.
func (c Check) Run(ctx context.Context, system System) error {
	t := &trial{System: system, ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.check(t)
	}()
	<-done
	return t.err
}

// Run runs the suite, each check on a system of its own.
func Run(t *testing.T, start func(t *testing.T) System) {
	for _, check := range Checks() {
		t.Run(check.Name, func(t *testing.T) {
			if err := check.Run(t.Context(), start(t)); err != nil {
				t.Error(err)
			}
		})
	}
}
