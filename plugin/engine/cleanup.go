package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// errAbandoned cancels a clean-up that the user does not want to wait for.
var errAbandoned = errors.New("the clean-up was cut short")

// unlessAbandoned returns a context that ends when the user does not want to wait
// for the clean-up.
func (a *attempt) unlessAbandoned() (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	a.work.Go(func() {
		select {
		case <-a.Abandon:
			cancel(errAbandoned)
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}

// removeFaults takes off what is on. What could not be taken off during the
// attempt is tried once more, unless the user is in a hurry. The first try is
// never cut short: a fault that stays on harms the system long after.
func (a *attempt) removeFaults() {
	var on, tried []*progress
	for _, p := range a.steps {
		if p.applied == nil {
			continue
		}
		on = append(on, p)
		if p.ending {
			tried = append(tried, p)
			continue
		}
		p.cancel(errors.New("the attempt is over"))
		a.remove(p)
	}
	done := func() bool {
		return !slices.ContainsFunc(on, func(p *progress) bool { return !p.removeDone })
	}
	a.pump(done, nil, nil)
	select {
	case <-a.Abandon:
		tried = nil
	default:
	}
	for _, p := range tried {
		if p.removeErr != nil {
			a.remove(p)
		}
	}
	a.pump(done, nil, nil)
	for _, p := range on {
		if p.removeErr != nil {
			a.leftBehind(p.step.Name, fmt.Sprintf("%s %s: it could not be removed: %v", p.step.Fault.Kind, p.object.GetName(), p.removeErr))
		}
	}
}

// awaitCalls waits for the calls that are still under way: a call that was
// held can be answered, and take effect, long after the release.
func (a *attempt) awaitCalls(ctx context.Context) {
	underWay := func() []*progress {
		return slices.DeleteFunc(append([]*progress{a.given}, a.steps...), func(p *progress) bool {
			return p.phase != running || p.step.Activity == nil
		})
	}
	done := func() bool { return len(underWay()) == 0 }
	limited, stop := context.WithTimeoutCause(ctx, a.Settle, fmt.Errorf("it was still under way %v after the attempt's end", a.Settle))
	defer stop()
	a.pump(done, limited.Done(), nil)
	for _, p := range underWay() {
		if p.step.Activity.Lasting {
			a.leftBehind(p.step.Name, fmt.Sprintf("%s (%s) was sent and not answered: it may still take effect", p.step.Name, p.step.Activity.Summary))
		}
		p.cancel(context.Cause(limited))
	}
	a.pump(done, nil, nil)
}

// recheck asks those steps once more whose findings must still hold, unless the
// attempt is Error or Inconclusive already.
func (a *attempt) recheck(ctx context.Context) {
	history := verdict.Read(a.Plan, a.records())
	if v := history.BySteps().Verdict; v != verdict.Passed && v != verdict.Failed {
		return
	}
	names := history.Rechecks()
	for _, p := range a.steps {
		if !slices.Contains(names, p.step.Name) {
			continue
		}
		again := newProgress(p.step)
		again.again, again.phase = true, running
		task := a.task(again)
		task.Recheck, task.Timeout = true, recheckLimit
		a.do(ctx, again, task)
		a.pump(func() bool { return again.phase == ended }, nil, nil)
	}
}

// unanswered are the activities whose requests may still take effect: only the
// evidence shows that a request without an answer died with its service.
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

// tearDown has the plugin take back what was made in the system, or report
// the state of what existed before. A plugin that died is started again.
func (a *attempt) tearDown(ctx context.Context, unanswered []sdk.Sent) {
	if a.Plan.Teardown.Activity == nil || len(a.made)+len(a.Plan.BlastRadius) == 0 {
		return
	}
	p := newProgress(a.Plan.Teardown)
	select {
	case <-a.Plugin.Gone():
		plugin, err := a.Restart(ctx)
		if err != nil {
			a.listMade(fmt.Sprintf("the plugin died and could not be started again: %v", err))
			return
		}
		a.note(p, time.Now(), "the plugin was started again to tear down what the run made")
		a.Plugin = plugin
	default:
	}
	p.phase = running
	task := a.task(p)
	task.Resources, task.Unanswered, task.Settle = slices.Sorted(maps.Keys(a.made)), unanswered, a.Settle
	if len(unanswered) > 0 {
		task.Timeout += a.Settle
	}
	a.do(ctx, p, task)
	a.pump(func() bool { return p.phase == ended }, nil, nil)
	why := p.result.Message
	if cause := context.Cause(ctx); cause != nil {
		why = cause.Error()
	}
	for _, anchor := range slices.Sorted(maps.Keys(a.made)) {
		if resource := a.made[anchor]; resource.State == sdk.Left {
			if resource.Reason != "" {
				anchor += ": " + resource.Reason
			}
			a.leftBehind(plan.TeardownStep, anchor)
			delete(a.made, resource.Anchor)
		}
	}
	if p.result.Conclusion != sdk.Passed {
		a.listMade("it could not be torn down: " + why)
	}
}

// listMade lists what is still in the system or may be in another state.
func (a *attempt) listMade(why string) {
	if len(a.Plan.BlastRadius) > 0 {
		a.leftBehind(plan.TeardownStep, "what existed before the run may be in another state: "+why)
	}
	for _, anchor := range slices.Sorted(maps.Keys(a.made)) {
		a.leftBehind(plan.TeardownStep, fmt.Sprintf("%s: %s", anchor, why))
	}
	clear(a.made)
}
