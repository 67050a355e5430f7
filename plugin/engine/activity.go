package engine

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

func (a *attempt) task(p *progress) sdk.Task {
	return sdk.Task{
		Run:       a.Run,
		Attempt:   a.number,
		Target:    a.Target,
		Activity:  p.step.Activity.Name,
		Arguments: p.step.Activity.Arguments,
		Timeout:   time.Duration(p.step.Timeout),
	}
}

// do has the plugin do a task, and waits little longer than the task's timeout.
func (a *attempt) do(ctx context.Context, p *progress, task sdk.Task) {
	ctx, cancel := context.WithCancelCause(ctx)
	p.cancel = cancel
	plugin := a.Plugin
	a.work.Go(func() {
		defer cancel(nil)
		limited, stop := context.WithTimeout(ctx, task.Timeout+answerLimit)
		defer stop()
		result, err := plugin.Run(limited, task, observer{a, p})
		cause := context.Cause(ctx)
		a.mail.post(func() {
			switch {
			case err != nil && cause != nil:
				result = sdk.Result{Conclusion: sdk.Inconclusive, Message: "cancelled: " + cause.Error()}
			case err != nil:
				select {
				case <-plugin.Gone():
					// The loop may hear of the error before it does of its cause.
					a.died()
				default:
				}
				result = sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
			}
			a.result(p, result)
		})
	})
}

// observer posts what an activity sees.
type observer struct {
	a *attempt
	p *progress
}

func (o observer) Event(name string, at time.Time, detail map[string]string) {
	o.a.mail.post(func() { o.a.event(o.p, name, at, detail) })
}

func (o observer) Note(at time.Time, text string) {
	o.a.mail.post(func() { o.a.note(o.p, at, text) })
}

func (o observer) Resource(resource sdk.Resource) {
	at := time.Now()
	o.a.mail.post(func() {
		if resource.State == sdk.Removed {
			delete(o.a.made, resource.Anchor)
		} else {
			o.a.made[resource.Anchor] = resource
		}
		o.a.recordAt(at, journal.Record{
			Kind: journal.Resource, Step: o.p.step.Name,
			Anchor: resource.Anchor, State: string(resource.State), Text: resource.Reason,
		})
	})
}

// result takes an activity's answer.
func (a *attempt) result(p *progress, result sdk.Result) {
	if p.phase != running {
		return
	}
	p.phase, p.result, p.unanswered = ended, result, p.mayTakeEffect(result)
	record := journal.Record{
		Kind: journal.Result, Step: p.step.Name, Conclusion: string(result.Conclusion),
		Outcome: result.Outcome, Text: result.Message, Evidence: result.Evidence,
	}
	if p.again {
		record.Kind = journal.Recheck
	}
	a.record(record)
	if p.again {
		return
	}
	p.giveUp(p.step.Events()...)
	meaning, reason := verdict.Meaning(p.step, record)
	switch {
	case p == a.given && meaning == sdk.Passed:
		a.begin()
	case p.step.Name == plan.TeardownStep:
	case meaning != sdk.Passed:
		a.decide(reason)
	}
	a.advance()
}

// mayTakeEffect reports whether an activity that has ended may have sent
// something that was not answered.
func (p *progress) mayTakeEffect(result sdk.Result) bool {
	switch {
	case !p.step.Activity.Lasting || !plan.Unanswered(result.Outcome):
		return false
	case result.Outcome == "":
		// A plugin that died may not have reported what it sent.
		return result.Conclusion != sdk.Passed
	}
	return !p.step.Emits(plan.Sent) || p.has(plan.Sent)
}
