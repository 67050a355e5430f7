package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// errAbandoned says that the user did not want to wait for the clean-up.
var errAbandoned = errors.New("the clean-up was cut short")

// cleanUp takes back what the attempt did, on every way out in the same
// order: faults deleted and seen gone; calls that were sent awaited; what was
// made in the system torn down. What cannot be taken back is listed.
func (a *attempt) cleanUp(judgement verdict.Judgement) {
	a.removeFaults()
	a.settleCalls()
	a.tearDown(a.unanswered(judgement))
	a.work.Wait()
	for _, message := range a.mail.take() {
		message()
	}
	for _, p := range a.steps {
		p.stopTimer()
	}
}

// removeFaults takes off what is on. What could not be taken off during the
// attempt is tried once more: what was in the way may have been so for a moment.
func (a *attempt) removeFaults() {
	var on, tried []*progress
	for _, p := range a.steps {
		if p.applied == nil {
			continue
		}
		on = append(on, p)
		if !p.ending {
			p.ending = true
			p.cancel(errors.New("the attempt is over"))
			a.remove(p)
		} else {
			tried = append(tried, p)
		}
	}
	a.awaitRemoved(on)
	select {
	case <-a.Abandon:
		// One limit is bound to be waited for, and not two.
	default:
		for _, p := range tried {
			if p.stays != nil {
				p.returned = false
				a.remove(p)
			}
		}
		a.awaitRemoved(on)
	}
	for _, p := range on {
		if p.stays != nil {
			a.leave(p.step.Name, fmt.Sprintf("%s %s: it could not be removed: %v", p.step.Fault.Kind, p.object.GetName(), p.stays))
		}
	}
}

// awaitRemoved waits until the removal of each fault has ended. The driver's own
// limit bounds this wait, and not the user's hurry: a fault that stays on harms
// the system long after.
func (a *attempt) awaitRemoved(faults []*progress) {
	a.pump(nil, nil, func() bool {
		return !slices.ContainsFunc(faults, func(p *progress) bool { return !p.returned })
	})
}

// settleCalls waits for the calls that are still under way: a call that was
// held can be answered, and take effect, long after the release.
func (a *attempt) settleCalls() {
	underWay := func() []*progress {
		var list []*progress
		for _, p := range append([]*progress{a.given}, a.steps...) {
			if p.phase == running && p.step.Activity != nil {
				list = append(list, p)
			}
		}
		return list
	}
	timer := time.NewTimer(a.Settle)
	defer timer.Stop()
	abandoned := a.pump(timer.C, a.Abandon, func() bool { return len(underWay()) == 0 })
	for _, p := range underWay() {
		why := fmt.Errorf("it was still under way %v after the attempt's end", a.Settle)
		if abandoned {
			why = errAbandoned
		}
		if p.step.Activity.Lasting {
			a.leave(p.step.Name, fmt.Sprintf("%s (%s) was sent and not answered: it may still take effect", p.step.Name, p.step.Activity.Summary))
		}
		p.cancel(why)
	}
	a.pump(nil, nil, func() bool { return len(underWay()) == 0 })
}

// pump does what comes in until done says so, the limit passes, or the user
// abandons the wait, and says whether the last was the case.
func (a *attempt) pump(limit <-chan time.Time, abandon <-chan struct{}, done func() bool) (abandoned bool) {
	for !done() {
		select {
		case <-a.mail.filled:
			for _, message := range a.mail.take() {
				message()
			}
		case <-limit:
			return false
		case <-abandon:
			return true
		}
	}
	return false
}

// unanswered are the activities whose requests may still take effect. Only
// the evidence tells that a request without an answer died with its service;
// where the evidence is not there, it may live on.
func (a *attempt) unanswered(judgement verdict.Judgement) []sdk.Sent {
	if judgement.Verdict == verdict.Passed || judgement.Verdict == verdict.Failed {
		return nil
	}
	var list []sdk.Sent
	for _, p := range a.steps {
		if p.unanswered {
			list = append(list, sdk.Sent{Activity: p.step.Activity.Name, Arguments: p.step.Activity.Arguments})
		}
	}
	return list
}

// tearDown has the plugin take back what was made in the system, or tell how
// it leaves what existed before. If the plugin died it is started again and
// told what the journal says was made.
func (a *attempt) tearDown(unanswered []sdk.Sent) {
	if a.Plan.Teardown.Activity == nil || len(a.made)+len(a.Plan.Touches) == 0 {
		return
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	a.work.Go(func() {
		select {
		case <-a.Abandon:
			cancel(errAbandoned)
		case <-ctx.Done():
		}
	})
	select {
	case <-a.Plugin.Gone():
		plugin, err := a.Restart(ctx)
		if err != nil {
			a.leaveMade(fmt.Sprintf("the plugin died and could not be started again: %v", err))
			return
		}
		a.record(journal.Record{Kind: journal.Note, Step: a.Plan.Teardown.Name, Text: "the plugin was started again to tear down what the run made"})
		a.Plugin = plugin
	default:
	}
	step := a.Plan.Teardown
	p := newProgress(step)
	a.byName[step.Name] = p
	p.phase = running
	task := a.task(p)
	task.Resources, task.Unanswered, task.Settle = slices.Sorted(maps.Keys(a.made)), unanswered, a.Settle
	if len(unanswered) > 0 {
		task.Timeout += a.Settle
	}
	plugin := a.Plugin
	var result sdk.Result
	var err error
	a.work.Go(func() {
		result, err = a.ask(ctx, plugin, p, task)
		cause := context.Cause(ctx)
		a.mail.post(func() {
			if cause != nil {
				err = cause
			}
			a.result(p, result, err)
		})
	})
	a.pump(nil, nil, func() bool { return p.phase == ended })
	cancel(nil)
	for anchor, state := range a.made {
		if state == sdk.Left {
			a.leave(plan.TeardownStep, anchor)
			delete(a.made, anchor)
		}
	}
	switch {
	case err != nil:
		a.leaveMade(fmt.Sprintf("it could not be torn down: %v", err))
	case result.Conclusion != sdk.Passed:
		a.leaveMade("it could not be torn down: " + result.Message)
	}
}

// leaveMade lists what is still in the system, and says that what existed
// before the run was not told of.
func (a *attempt) leaveMade(why string) {
	if len(a.Plan.Touches) > 0 {
		a.leave(plan.TeardownStep, "what existed before the run may be in another state: "+why)
	}
	for _, anchor := range slices.Sorted(maps.Keys(a.made)) {
		a.leave(plan.TeardownStep, fmt.Sprintf("%s: %s", anchor, why))
	}
	clear(a.made)
}
