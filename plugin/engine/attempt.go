package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// attempt is one attempt of a run. Only the goroutine in run touches its
// fields; everything else posts to mail.
type attempt struct {
	*Config
	number int
	mail   *mailbox
	given  *progress
	steps  []*progress
	byName map[string]*progress
	fired  map[plan.Ref]time.Time
	// open says that the given state is there and steps may start.
	open bool
	// decided says why no further step starts; empty while they do.
	decided string
	// made are the resources that are in the system, by anchor.
	made map[string]sdk.ResourceState
	left []string

	// work waits for all goroutines that the attempt started.
	work sync.WaitGroup
}

func newAttempt(config *Config, number int) *attempt {
	a := &attempt{
		Config: config,
		number: number,
		mail:   newMailbox(),
		given:  newProgress(config.Plan.Given),
		byName: map[string]*progress{},
		fired:  map[plan.Ref]time.Time{},
		made:   map[string]sdk.ResourceState{},
	}
	a.byName[config.Plan.Given.Name] = a.given
	for _, step := range config.Plan.Steps {
		p := newProgress(step)
		if step.Fault != nil {
			p.prepare(config, number)
		}
		a.steps = append(a.steps, p)
		a.byName[step.Name] = p
	}
	return a
}

// run does the attempt, judges it, and takes back all that it did.
func (a *attempt) run(ctx context.Context) (verdict.Judgement, []string) {
	a.record(journal.Record{Kind: journal.Attempt, Attempt: a.number})
	switch err := a.refused(ctx); {
	case err != nil:
		a.trouble(err.Error())
	case a.Plan.Given.Activity != nil:
		a.start(a.given)
	default:
		a.begin()
	}
	a.loop(ctx, a.ended)
	judgement := a.judge()
	a.cleanUp(judgement)
	if again := a.judge(); again != judgement {
		judgement = again
	}
	return judgement, a.left
}

// refused says which fault of the plan the driver would refuse now.
func (a *attempt) refused(ctx context.Context) error {
	checker, able := a.Driver.(Checker)
	if !able {
		return nil
	}
	for _, p := range a.steps {
		if p.step.Fault == nil || p.broken != nil {
			continue
		}
		if err := checker.Check(ctx, p.object); err != nil {
			return fmt.Errorf("nothing was begun: the fault of step %s (%s) could not be put on: %w", p.step.Name, p.step.Fault.Summary, err)
		}
	}
	return nil
}

// judge writes the verdict on what the journal has of this attempt so far.
func (a *attempt) judge() verdict.Judgement {
	attempts := journal.Attempts(a.Journal.Records())
	judgement := verdict.Judge(a.Plan, attempts[len(attempts)-1])
	for _, record := range attempts[len(attempts)-1] {
		if record.Kind == journal.Verdict && record.Verdict == string(judgement.Verdict) {
			return judgement
		}
	}
	a.record(journal.Record{
		Kind: journal.Verdict, Attempt: a.number,
		Verdict: string(judgement.Verdict), Text: judgement.Reason,
	})
	return judgement
}

// loop does what comes in until done says so.
func (a *attempt) loop(ctx context.Context, done func() bool) {
	gone := a.Plugin.Gone()
	interrupted := ctx.Done()
	for !done() {
		select {
		case <-a.mail.filled:
			for _, message := range a.mail.take() {
				message()
			}
		case <-interrupted:
			interrupted = nil
			a.trouble(interruption(ctx))
		case <-gone:
			gone = nil
			a.trouble("the plugin died")
		}
	}
}

// ended says whether nothing more is to come of the steps, or nothing that
// could change the verdict.
func (a *attempt) ended() bool {
	if a.decided != "" {
		return true
	}
	if !a.open {
		return false
	}
	for _, p := range a.steps {
		if !a.settled(p) {
			return false
		}
	}
	return true
}

func (a *attempt) record(record journal.Record) { a.recordAt(time.Now(), record) }

func (a *attempt) recordAt(at time.Time, record journal.Record) { a.Journal.Add(at, record) }

// trouble ends the attempt in Error.
func (a *attempt) trouble(text string) {
	a.record(journal.Record{Kind: journal.Trouble, Text: text})
	a.decide(text)
}

// decide ends the attempt early: what has not started does not, and probes
// that are under way are cancelled. Calls are not: what they sent may take
// effect, so the clean-up waits for them.
func (a *attempt) decide(why string) {
	if a.decided != "" {
		return
	}
	a.decided = why
	if a.given.phase == running {
		a.given.cancel(errors.New(why))
	}
	for _, p := range a.steps {
		switch {
		case p.phase == waiting || p.phase == delayed:
			a.skip(p, "the attempt was decided before")
		case p.phase == running && p.step.Activity != nil && !p.step.Activity.Lasting:
			p.cancel(errors.New("the attempt was decided before: " + why))
		}
	}
}

// begin lets the steps start, once the given state is there.
func (a *attempt) begin() {
	a.given.phase = ended
	a.open = true
	a.advance()
}

// event takes one event of a step.
func (a *attempt) event(p *progress, name string, at time.Time, detail map[string]string) {
	ref := plan.Ref{Step: p.step.Name, Event: name}
	if _, again := a.fired[ref]; again {
		return
	}
	if !p.step.Emits(name) {
		a.trouble(fmt.Sprintf("step %s emitted %q, which is none of its events (%s)", p.step.Name, name, strings.Join(p.step.Events(), " ")))
		return
	}
	a.fired[ref] = at
	// The triggers come first: between an event and the fault that it
	// triggers lies only what cannot be done later.
	if a.open {
		a.advance()
	}
	a.recordAt(at, journal.Record{Kind: journal.Event, Step: p.step.Name, Event: name, Detail: detail})
}

// advance starts and ends whatever the events so far let start and end.
func (a *attempt) advance() {
	for again := true; again; {
		again = false
		for _, p := range a.steps {
			if a.move(p) {
				again = true
			}
		}
	}
}

// move brings one step as far as it can go now, and says whether others may
// have to move because of it.
func (a *attempt) move(p *progress) bool {
	switch p.phase {
	case waiting:
		latest, fired, dead := a.met(p.step.After)
		if dead != "" {
			a.skip(p, dead)
			return true
		}
		if !fired {
			return false
		}
		wait := time.Duration(p.step.Delay)
		if !latest.IsZero() {
			wait -= time.Since(latest)
		}
		if wait <= 0 {
			return a.startOrSkip(p)
		}
		p.phase = delayed
		p.timer = time.AfterFunc(wait, func() {
			a.mail.post(func() {
				if p.phase == delayed && a.startOrSkip(p) {
					a.advance()
				}
			})
		})
	case running:
		if len(p.step.Until) == 0 || p.ending || !a.resolved(p.step.Until) {
			return false
		}
		p.ending = true
		if p.step.Fault != nil {
			a.remove(p)
		} else {
			p.cancel(fmt.Errorf("%s came before the answer", refs(p.step.Until)))
		}
	}
	return false
}

// met says whether all events have fired, when the latest did, and, if one
// never will, why.
func (a *attempt) met(after []plan.Ref) (latest time.Time, fired bool, dead string) {
	fired = true
	for _, ref := range after {
		at, has := a.fired[ref]
		if has {
			if at.After(latest) {
				latest = at
			}
			continue
		}
		fired = false
		if a.impossible(ref) {
			return latest, false, fmt.Sprintf("%s can no longer happen", ref)
		}
	}
	return latest, fired, ""
}

// resolved says whether each event has fired or never will.
func (a *attempt) resolved(until []plan.Ref) bool {
	for _, ref := range until {
		if p, known := a.byName[ref.Step]; known && !a.seen(p, ref.Event) {
			return false
		}
	}
	return true
}

// impossible says whether an event that has not fired never will.
func (a *attempt) impossible(ref plan.Ref) bool {
	p, known := a.byName[ref.Step]
	return !known || p.hopeless[ref.Event]
}

// skip ends a step that has not started.
func (a *attempt) skip(p *progress, why string) {
	p.stopTimer()
	p.phase = skipped
	p.giveUp(p.step.Events()...)
	a.record(journal.Record{Kind: journal.Skipped, Step: p.step.Name, Text: why})
}

// startOrSkip starts a step whose trigger has fired, unless what it must run
// beside is not under way. It says whether other steps may have to move.
func (a *attempt) startOrSkip(p *progress) bool {
	if beside := p.step.While; beside != "" {
		q := a.byName[beside]
		if q == nil || q.phase != running || a.over(q) {
			a.skip(p, beside+" was not under way when this step was due")
			return true
		}
	}
	a.start(p)
	return false
}

// over says whether one of a step's last events has fired.
func (a *attempt) over(p *progress) bool {
	for _, event := range p.step.Ends() {
		if _, fired := a.fired[plan.Ref{Step: p.step.Name, Event: event}]; fired {
			return true
		}
	}
	return false
}

func (a *attempt) start(p *progress) {
	p.stopTimer()
	p.phase = running
	if p.step.Fault != nil {
		a.apply(p)
	} else {
		a.do(p)
	}
}

// do has the plugin do the step's activity.
func (a *attempt) do(p *progress) {
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cancel = cancel
	plugin, task := a.Plugin, a.task(p)
	a.work.Go(func() {
		defer cancel(nil)
		result, err := a.ask(ctx, plugin, p, task)
		cause := context.Cause(ctx)
		a.mail.post(func() {
			if err != nil && cause != nil {
				result, err = sdk.Result{Conclusion: sdk.Inconclusive, Message: "cancelled: " + cause.Error()}, nil
			}
			a.result(p, result, err)
		})
	})
}

// ask does one activity, with what it sees going to the mailbox. It does not
// wait longer than the activity's timeout and a little.
func (a *attempt) ask(ctx context.Context, plugin Plugin, p *progress, task sdk.Task) (sdk.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, task.Timeout+answerLimit)
	defer cancel()
	return plugin.Run(ctx, task, watch{a, p})
}

// task is a step's activity, for the plugin.
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

// watch posts what an activity sees.
type watch struct {
	a *attempt
	p *progress
}

func (w watch) Event(name string, at time.Time, detail map[string]string) {
	w.a.mail.post(func() { w.a.event(w.p, name, at, detail) })
}

func (w watch) Note(at time.Time, text string) {
	w.a.mail.post(func() {
		w.a.recordAt(at, journal.Record{Kind: journal.Note, Step: w.p.step.Name, Text: text})
	})
}

func (w watch) Resource(resource sdk.Resource) {
	at := time.Now()
	w.a.mail.post(func() {
		if resource.State == sdk.Removed {
			delete(w.a.made, resource.Anchor)
		} else {
			w.a.made[resource.Anchor] = resource.State
		}
		w.a.recordAt(at, journal.Record{
			Kind: journal.Resource, Step: w.p.step.Name,
			Anchor: resource.Anchor, State: string(resource.State), Text: resource.Reason,
		})
	})
}

// result takes an activity's answer.
func (a *attempt) result(p *progress, result sdk.Result, err error) {
	if p.phase != running {
		return
	}
	if err != nil {
		result = sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	p.unanswered = a.mayTakeEffect(p, result)
	record := journal.Record{
		Kind: journal.Result, Step: p.step.Name, Conclusion: string(result.Conclusion),
		Outcome: result.Outcome, Text: result.Message, Evidence: result.Evidence,
	}
	a.record(record)
	p.phase = ended
	p.giveUp(p.step.Events()...)
	meaning, reason := verdict.Meaning(p.step, record)
	switch {
	case p == a.given && meaning == string(sdk.Passed):
		a.begin()
	case p.step.Name == plan.TeardownStep:
	case meaning != string(sdk.Passed):
		a.decide(reason)
	}
	if a.open {
		a.advance()
	}
}

// mayTakeEffect says whether an activity that has ended may have sent
// something that was not answered.
func (a *attempt) mayTakeEffect(p *progress, result sdk.Result) bool {
	switch {
	case !p.step.Activity.Lasting || !plan.Unanswered(result.Outcome):
		return false
	case result.Outcome == "":
		// A plugin that died may have had no time to tell.
		return result.Conclusion != sdk.Passed
	case p.step.Emits(plan.Sent):
		_, sent := a.fired[plan.Ref{Step: p.step.Name, Event: plan.Sent}]
		return sent
	}
	return true
}

// apply has the driver put the step's fault on.
func (a *attempt) apply(p *progress) {
	if p.broken != nil {
		a.failed(p, p.broken)
		return
	}
	object := p.object
	p.applied = make(chan struct{})
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cancel = cancel
	p.timer = time.AfterFunc(time.Duration(p.step.Timeout), func() {
		a.mail.post(func() {
			if _, injected := a.fired[plan.Ref{Step: p.step.Name, Event: plan.Injected}]; !injected && p.phase == running {
				a.failed(p, fmt.Errorf("it was not injected within %v", p.step.Timeout))
			}
		})
	})
	driver := a.Driver
	a.work.Go(func() {
		defer close(p.applied)
		err := driver.Apply(ctx, object, func(m Moment) { a.mail.post(func() { a.moment(p, m) }) })
		if err != nil {
			a.mail.post(func() {
				p.refused = true
				a.failed(p, err)
			})
		}
	})
}

// moment takes what the driver saw of a fault.
func (a *attempt) moment(p *progress, m Moment) {
	switch {
	case m.Err != nil:
		a.recordAt(m.At, journal.Record{Kind: journal.Note, Step: p.step.Name, Text: m.Err.Error()})
		if _, injected := a.fired[plan.Ref{Step: p.step.Name, Event: plan.Injected}]; injected {
			a.lost(p, m.Err)
		} else {
			a.failed(p, m.Err)
		}
		return
	case m.Event == "":
		a.recordAt(m.At, journal.Record{Kind: journal.Note, Step: p.step.Name, Text: m.Detail})
		return
	}
	var detail map[string]string
	if m.Detail != "" {
		detail = map[string]string{"what": m.Detail}
	}
	switch m.Event {
	case plan.Injected:
		p.stopTimer()
		if p.step.Fault.Stops() {
			a.expect(p, downLimit, plan.Down, plan.Ready)
		}
	case plan.Down:
		a.expect(p, readyLimit, plan.Ready)
	case plan.Ready:
		p.stopTimer()
	case plan.Removed:
		p.removed = true
		p.giveUp(plan.Created, plan.Injected)
		if _, injected := a.fired[plan.Ref{Step: p.step.Name, Event: plan.Injected}]; !injected {
			p.giveUp(plan.Down, plan.Ready)
		}
	}
	a.event(p, m.Event, m.At, detail)
}

// expect gives the first of the events a time to come in; past it, none of
// them is waited for any more.
func (a *attempt) expect(p *progress, limit time.Duration, events ...string) {
	p.stopTimer()
	p.timer = time.AfterFunc(limit, func() {
		a.mail.post(func() {
			if _, fired := a.fired[plan.Ref{Step: p.step.Name, Event: events[0]}]; fired {
				return
			}
			a.record(journal.Record{Kind: journal.Note, Step: p.step.Name, Text: fmt.Sprintf("%s was not seen within %v", events[0], limit)})
			p.giveUp(events...)
			a.advance()
		})
	})
}

// failed: a fault could not be put on.
func (a *attempt) failed(p *progress, err error) {
	p.stopTimer()
	p.giveUp(plan.Created, plan.Injected, plan.Down, plan.Ready)
	a.trouble(fmt.Sprintf("the fault of step %s (%s) could not be injected: %v", p.step.Name, p.step.Fault.Summary, err))
}

// lost: a fault that was on is not as it should be. What was seen under it
// proves nothing.
func (a *attempt) lost(p *progress, err error) {
	p.stopTimer()
	p.giveUp(plan.Down, plan.Ready)
	what := "did not stay on"
	if p.ending || !p.lasts() {
		what = "has not gone as it should"
	}
	a.trouble(fmt.Sprintf("the fault of step %s (%s) %s: %v", p.step.Name, p.step.Fault.Summary, what, err))
}

// remove has the driver take a fault off. A removal that fails is told, and why
// is kept.
func (a *attempt) remove(p *progress) {
	driver := a.Driver
	a.work.Go(func() {
		<-p.applied
		ctx, cancel := context.WithTimeout(context.Background(), removeLimit)
		defer cancel()
		err := driver.Remove(ctx, p.object)
		a.mail.post(func() {
			p.cancel(nil)
			first := p.stays == nil
			p.removed, p.returned, p.stays = true, true, err
			switch {
			case err == nil && !first:
				a.record(journal.Record{Kind: journal.Note, Step: p.step.Name, Text: "the fault could be removed the second time"})
			case err != nil && first:
				a.trouble(fmt.Sprintf("the fault of step %s could not be removed: %v", p.step.Name, err))
			}
			p.giveUp(plan.Created, plan.Injected, plan.Removed)
			if a.open {
				a.advance()
			}
		})
	})
}

// leave lists something that the run leaves behind.
func (a *attempt) leave(step, text string) {
	a.left = append(a.left, text)
	a.record(journal.Record{Kind: journal.Left, Step: step, Text: text})
}

func refs(list []plan.Ref) string {
	words := make([]string, len(list))
	for i, ref := range list {
		words[i] = ref.String()
	}
	return strings.Join(words, " and ")
}

// interruption says that the run was interrupted, and why if whoever did it
// gave a reason.
func interruption(ctx context.Context) string {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
		return fmt.Sprintf("the run was interrupted: %v", cause)
	}
	return "the run was interrupted"
}
