package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// apply has the driver put the step's fault on.
func (a *attempt) apply(p *progress) {
	p.applied = make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cancel = cancel
	p.timer = a.after(time.Duration(p.step.Timeout), func() {
		if !p.has(plan.Injected) && p.phase == running && !p.ending {
			a.faultFailed(p, fmt.Errorf("it was not injected within %v", p.step.Timeout))
		}
	})
	a.work.Go(func() {
		defer close(p.applied)
		err := a.Driver.Apply(ctx, p.object, func(m Moment) { a.mail.post(func() { a.moment(p, m) }) })
		switch {
		case err != nil && ctx.Err() != nil:
			// The attempt was over, for a reason of its own.
			a.mail.post(func() { a.note(p, time.Now(), fmt.Sprintf("it was not put on any more: %v", err)) })
		case err != nil:
			a.mail.post(func() { a.faultFailed(p, err) })
		}
	})
}

// moment takes what the driver saw of a fault.
func (a *attempt) moment(p *progress, m Moment) {
	switch {
	case m.Err != nil:
		a.note(p, m.At, m.Err.Error())
		a.faultFailed(p, m.Err)
		return
	case m.Event == "":
		a.note(p, m.At, m.Detail)
		return
	}
	detail := map[string]string{}
	if m.Detail != "" {
		detail["what"] = m.Detail
	}
	for key, at := range map[string]time.Time{journal.NotBefore: m.After, journal.Told: m.Told} {
		if !at.IsZero() {
			detail[key] = at.UTC().Format(time.RFC3339Nano)
		}
	}
	switch m.Event {
	case plan.Injected:
		p.stopTimer()
		if p.step.For > 0 {
			a.after(time.Duration(p.step.For), func() {
				if p.phase == running && !p.ending {
					a.remove(p)
				}
			})
		}
		if p.step.Fault.Stops() {
			a.expect(p, downLimit, plan.Down, plan.Rescheduled, plan.Ready)
		}
	case plan.Down:
		a.expect(p, readyLimit, plan.Ready, plan.Rescheduled)
	case plan.Ready:
		p.stopTimer()
		p.giveUp(plan.Rescheduled)
	case plan.Removed:
		p.giveUp(plan.Created, plan.Injected)
		if !p.has(plan.Injected) {
			p.giveUp(plan.Down, plan.Rescheduled, plan.Ready)
		}
	}
	a.event(p, m.Event, m.At, detail)
}

// expect gives up the events when the first is not seen in time.
func (a *attempt) expect(p *progress, limit time.Duration, events ...string) {
	p.stopTimer()
	p.timer = a.after(limit, func() {
		if !p.has(events[0]) {
			a.note(p, time.Now(), fmt.Sprintf("%s was not seen within %v", events[0], limit))
			p.giveUp(events...)
			a.advance()
		}
	})
}

// faultFailed ends the attempt: a fault could not be put on, or is not as it
// should be since. What was seen under it proves nothing.
func (a *attempt) faultFailed(p *progress, err error) {
	p.stopTimer()
	p.giveUp(plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready)
	what := "did not stay on"
	switch {
	case !p.has(plan.Injected):
		what = "could not be injected"
	case p.ending || p.object.IsOneShot():
		what = "has not gone as it should"
	}
	a.trouble(fmt.Sprintf("the fault of step %s (%s) %s: %v", p.step.Name, p.step.Fault.Summary, what, err))
}

// remove has the driver take a fault off. A failure makes the attempt an Error.
func (a *attempt) remove(p *progress) {
	p.ending, p.removeDone = true, false
	a.work.Go(func() {
		<-p.applied
		ctx, cancel := context.WithTimeout(context.Background(), removeLimit)
		defer cancel()
		err := a.Driver.Remove(ctx, p.object)
		a.mail.post(func() {
			p.cancel(nil)
			first := p.removeErr == nil
			p.removeDone, p.removeErr = true, err
			switch {
			case err == nil && !first:
				a.note(p, time.Now(), "the fault could be removed the second time")
			case err != nil && first:
				a.trouble(fmt.Sprintf("the fault of step %s could not be removed: %v", p.step.Name, err))
			}
			p.giveUp(plan.Created, plan.Injected, plan.Removed)
			a.advance()
		})
	})
}
