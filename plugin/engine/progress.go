package engine

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// phase is how far a step is.
type phase int

const (
	// waiting for its trigger.
	waiting phase = iota
	// delayed: the trigger has fired, and its delay runs.
	delayed
	running
	ended
	skipped
)

// progress is how far one step is in one attempt.
type progress struct {
	step  plan.Step
	phase phase
	// hopeless are the events that will not fire if they have not yet.
	hopeless map[string]bool
	// ending says that the step's until is met.
	ending bool
	// cancel ends the activity, or the driver's putting on of the fault.
	cancel context.CancelCauseFunc
	// timer is the one thing that the step waits for by the clock.
	timer *time.Timer

	// unanswered says that the activity sent something and had no answer.
	unanswered bool

	// Of a fault:
	object fault.Object
	// broken says why there is no object.
	broken error
	// applied is closed when the driver's Apply has returned.
	applied chan struct{}
	// refused says that Apply failed, so that there is nothing to remove.
	refused bool
	// removed says that the removal was observed or has ended, returned that it
	// has ended, and stays why it failed.
	removed, returned bool
	stays             error
}

func newProgress(step plan.Step) *progress {
	return &progress{step: step, hopeless: map[string]bool{}, cancel: func(error) {}}
}

// prepare makes the step's object before it is needed: between an event and
// the fault that it triggers lies only what cannot be done earlier.
func (p *progress) prepare(config *Config, attempt int) {
	p.object, p.broken = fault.Decode(p.step.Fault.Object)
	if p.broken == nil {
		fault.Stamp(p.object, config.Run, attempt, config.Plan.Experiment, p.step.Name)
	}
}

// giveUp says that these events will not fire any more.
func (p *progress) giveUp(events ...string) {
	for _, event := range events {
		p.hopeless[event] = true
	}
}

// lasts says whether the fault stays on until it is removed.
func (p *progress) lasts() bool {
	chaos, able := p.object.(interface{ IsOneShot() bool })
	return able && !chaos.IsOneShot()
}

func (p *progress) stopTimer() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}

// settled says whether nothing more is to come of a step before the attempt's
// end. A fault without until stays on until then.
func (a *attempt) settled(p *progress) bool {
	switch {
	case p.phase == ended || p.phase == skipped:
		return true
	case p.phase != running || p.step.Fault == nil:
		return false
	case len(p.step.Until) > 0 && !p.removed:
		return false
	case p.step.Fault.Stops():
		return a.seen(p, plan.Ready)
	default:
		return a.seen(p, plan.Injected)
	}
}

// seen says whether an event has fired or never will.
func (a *attempt) seen(p *progress, event string) bool {
	_, fired := a.fired[plan.Ref{Step: p.step.Name, Event: event}]
	return fired || p.hopeless[event]
}
