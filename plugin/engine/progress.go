package engine

import (
	"context"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// phase is how far a step is.
type phase int

const (
	waiting phase = iota // for its trigger
	delayed              // the trigger has fired, and its delay runs
	running
	ended
	skipped
)

// progress is the state of one step in one attempt.
type progress struct {
	step  plan.Step
	phase phase
	// fired has the events that have fired, and when; never those that will
	// not if they have not yet.
	fired  map[string]time.Time
	never  map[string]bool
	ending bool                    // the step's until is met, or its fault is being removed
	again  bool                    // it is a step that passed before, and triggers nothing
	cancel context.CancelCauseFunc // ends the activity, or the driver's putting on of the fault
	timer  *time.Timer             // the one thing that the step waits for by the clock

	// Of an activity: its answer, and whether it sent something that had none.
	result     sdk.Result
	unanswered bool

	// Of a fault: applied is closed when the driver's Apply has returned;
	// removeDone: its removal has ended, with removeErr.
	object     fault.Object
	applied    chan struct{}
	removeDone bool
	removeErr  error
}

func newProgress(step plan.Step) *progress {
	return &progress{step: step, fired: map[string]time.Time{}, never: map[string]bool{}, cancel: func(error) {}}
}

func (p *progress) giveUp(events ...string) {
	for _, event := range events {
		p.never[event] = true
	}
}

func (p *progress) has(event string) bool {
	_, fired := p.fired[event]
	return fired
}

func (p *progress) resolved(event string) bool { return p.has(event) || p.never[event] }

// over reports whether one of the step's last events has fired.
func (p *progress) over() bool { return slices.ContainsFunc(p.step.Ends(), p.has) }

// settled reports whether nothing more is to come of the step before the
// attempt's end. A fault without until stays on until then.
func (p *progress) settled() bool {
	switch {
	case p.phase == ended || p.phase == skipped:
		return true
	case p.phase != running || p.step.Fault == nil || p.step.Ended() && !p.resolved(plan.Removed):
		return false
	case p.step.Fault.Stops():
		return p.resolved(plan.Ready)
	}
	return p.resolved(plan.Injected)
}

func (p *progress) stopTimer() {
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
}
