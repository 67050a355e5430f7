package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
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

	open    bool                    // the given state is there, and steps may start
	decided string                  // why no further step starts; empty while they do
	made    map[string]sdk.Resource // what is in the system, by anchor
	left    []string
	judged  verdict.Verdict // the one that the journal has so far

	work      sync.WaitGroup
	unwritten bool   // the journal could not be written
	unwatch   func() // ends the watch of the services, if there is one
}

func newAttempt(config *Config, number int) *attempt {
	a := &attempt{
		Config:  config,
		number:  number,
		mail:    newMailbox(),
		given:   newProgress(config.Plan.Given),
		byName:  map[string]*progress{},
		made:    map[string]sdk.Resource{},
		unwatch: func() {},
	}
	a.byName[config.Plan.Given.Name] = a.given
	for _, step := range config.Plan.Steps {
		p := newProgress(step)
		a.steps = append(a.steps, p)
		a.byName[step.Name] = p
	}
	return a
}

// run does the attempt and judges it. It takes back what it did on every way out
// in the same order: faults deleted and seen gone; calls that were sent awaited;
// what was made in the system torn down. What cannot be taken back is listed.
func (a *attempt) run(ctx context.Context) verdict.Judgement {
	a.record(journal.Record{Kind: journal.Attempt, Attempt: a.number})
	switch err := a.prepare(ctx); {
	case a.decided != "":
	case err != nil:
		a.trouble(err.Error())
	case a.Plan.Given.Activity != nil:
		a.start(a.given)
	default:
		a.begin()
	}
	a.loop(ctx)
	a.removeFaults()
	cleaning, end := a.unlessAbandoned()
	a.awaitCalls(cleaning)
	a.recheck(cleaning)
	a.unwatch()
	a.tearDown(cleaning, a.unanswered(a.judge()))
	end(nil)
	a.work.Wait()
	a.mail.deliver()
	for _, p := range a.steps {
		p.stopTimer()
	}
	return a.judge()
}

// prepare makes the faults' objects, so that nothing else is left to do between an
// event and the fault that it triggers. It returns which of them the driver would
// refuse now.
func (a *attempt) prepare(ctx context.Context) error {
	checker, able := a.Driver.(Checker)
	for _, p := range a.steps {
		if p.step.Fault == nil {
			continue
		}
		var err error
		if p.object, err = fault.Decode(p.step.Fault.Object); err == nil {
			fault.Stamp(p.object, a.Run, a.number, a.Plan.Experiment, p.step.Name)
			if able {
				err = checker.Check(ctx, p.object)
			}
		}
		if err != nil {
			return fmt.Errorf("nothing was begun: the fault of step %s (%s) could not be put on: %w", p.step.Name, p.step.Fault.Summary, err)
		}
	}
	return nil
}

// records are those of this attempt so far.
func (a *attempt) records() []journal.Record {
	attempts := journal.Split(a.Journal.Records(), journal.Attempt)
	return attempts[len(attempts)-1]
}

// judge returns the verdict on what the journal has of this attempt so far,
// and records it when it is another one than before.
func (a *attempt) judge() verdict.Judgement {
	judgement := verdict.Judge(a.Plan, a.records())
	if judgement.Verdict == a.judged {
		return judgement
	}
	a.judged = judgement.Verdict
	a.record(journal.Record{Kind: journal.Verdict, Attempt: a.number, Verdict: string(judgement.Verdict), Text: judgement.Reason})
	return a.judge() // it may not have been written
}

// loop does what comes in until the attempt has ended.
func (a *attempt) loop(ctx context.Context) {
	switch gone := a.Plugin.Gone(); a.pump(a.ended, ctx.Done(), gone) {
	case nil:
	case gone:
		a.died()
	default:
		a.trouble(interruption(ctx))
	}
}

// died ends an attempt that is under way in Error, for want of its plugin.
func (a *attempt) died() {
	if a.decided == "" {
		a.trouble("the plugin died")
	}
}

// pump does what comes in until done reports true or a channel is closed: that one.
func (a *attempt) pump(done func() bool, first, second <-chan struct{}) (closed <-chan struct{}) {
	for !done() {
		select {
		case <-a.mail.filled:
			a.mail.deliver()
		case <-first:
			return first
		case <-second:
			return second
		}
	}
	return nil
}

// ended reports whether nothing more is to come of the steps, or nothing that
// could change the verdict.
func (a *attempt) ended() bool {
	return a.decided != "" || a.open && !slices.ContainsFunc(a.steps, func(p *progress) bool { return !p.settled() })
}

func (a *attempt) record(record journal.Record) { a.recordAt(time.Now(), record) }

// recordAt adds to the journal. A run whose journal cannot be kept is in Error.
func (a *attempt) recordAt(at time.Time, record journal.Record) journal.Record {
	record = a.Journal.Add(at, record)
	if err := a.Journal.Err(); err != nil && !a.unwritten {
		a.unwritten = true
		a.trouble(err.Error())
	}
	return record
}

// note records something that nothing waits for.
func (a *attempt) note(p *progress, at time.Time, text string) {
	a.recordAt(at, journal.Record{Kind: journal.Note, Step: p.step.Name, Text: text})
}

// trouble ends the attempt in Error.
func (a *attempt) trouble(text string) {
	a.record(journal.Record{Kind: journal.Trouble, Text: text})
	a.decide(text)
}

// decide ends the attempt early: what has not started does not, and probes that
// are under way are cancelled. The clean-up waits for calls: they may take effect.
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
	a.watch()
	a.advance()
}

// event takes one event of a step.
func (a *attempt) event(p *progress, name string, at time.Time, detail map[string]string) {
	if p.again {
		return
	}
	if !p.step.Emits(name) {
		a.trouble(fmt.Sprintf("step %s emitted %q, which is none of its events (%s)", p.step.Name, name, strings.Join(p.step.Events(), " ")))
		return
	}
	switch again := p.has(name); {
	case again && p.step.Fault != nil:
		return
	case !again:
		p.fired[name] = at
		// The triggers come first: between an event and the fault that it
		// triggers lies only what cannot be done later.
		a.advance()
	}
	a.recordAt(at, journal.Record{Kind: journal.Event, Step: p.step.Name, Event: name, Detail: detail})
}

// advance starts and ends whatever the events so far let start and end.
func (a *attempt) advance() {
	for again := a.open; again; {
		again = false
		for _, p := range a.steps {
			again = a.move(p) || again
		}
	}
}

// move advances one step as far as it can go now, and reports whether others
// may have to move because of it.
func (a *attempt) move(p *progress) bool {
	switch p.phase {
	case waiting:
		latest, fired, never := a.met(p.step)
		switch {
		case never != "":
			return a.skip(p, never)
		case !fired:
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
		p.timer = a.after(wait, func() {
			if p.phase == delayed && a.startOrSkip(p) {
				a.advance()
			}
		})
	case running:
		if len(p.step.Until) == 0 || p.ending || !a.resolved(p.step.Until) {
			return false
		}
		if p.step.Fault != nil {
			a.remove(p)
		} else {
			p.ending = true
			p.cancel(fmt.Errorf("%s came before the answer", refs(p.step.Until)))
		}
	}
	return false
}

// after posts a message when the time is over.
func (a *attempt) after(wait time.Duration, message func()) *time.Timer {
	return time.AfterFunc(wait, func() { a.mail.post(message) })
}

// met reports whether all events that a step waits for have fired, and when the
// latest did; if that will never be, never is why.
func (a *attempt) met(step plan.Step) (latest time.Time, met bool, never string) {
	times, lost := a.fired(step.After)
	either, lostEither := a.fired(step.AfterAny)
	switch {
	case len(lost) > 0:
		return latest, false, fmt.Sprintf("%s can no longer happen", lost[0])
	case len(step.AfterAny) > 0 && len(lostEither) == len(step.AfterAny):
		return latest, false, "none of " + refs(step.AfterAny) + " can happen any more"
	case len(times) < len(step.After) || len(step.AfterAny) > 0 && len(either) == 0:
		return latest, false, ""
	}
	if len(either) > 0 {
		times = append(times, slices.MinFunc(either, time.Time.Compare))
	}
	for _, at := range times {
		if at.After(latest) {
			latest = at
		}
	}
	return latest, true, ""
}

// fired returns when those of the events fired that have, and which no longer can.
func (a *attempt) fired(events []plan.Ref) (times []time.Time, lost []plan.Ref) {
	for _, ref := range events {
		p, known := a.byName[ref.Step]
		switch {
		case !known || p.never[ref.Event] && !p.has(ref.Event):
			lost = append(lost, ref)
		case p.has(ref.Event):
			times = append(times, p.fired[ref.Event])
		}
	}
	return times, lost
}

// resolved reports whether each event has fired or never will.
func (a *attempt) resolved(until []plan.Ref) bool {
	times, lost := a.fired(until)
	return len(times)+len(lost) == len(until)
}

// skip ends a step that has not started, and reports that others may have to move.
func (a *attempt) skip(p *progress, why string) bool {
	p.stopTimer()
	p.phase = skipped
	p.giveUp(p.step.Events()...)
	a.record(journal.Record{Kind: journal.Skipped, Step: p.step.Name, Text: why})
	return true
}

// startOrSkip starts a step whose trigger has fired, unless what it must run
// beside is not under way. It reports whether others may have to move.
func (a *attempt) startOrSkip(p *progress) bool {
	if beside := p.step.While; beside != "" {
		q := a.byName[beside]
		if q == nil || q.phase != running || q.over() {
			return a.skip(p, beside+" was not under way when this step was due")
		}
	}
	a.start(p)
	return false
}

func (a *attempt) start(p *progress) {
	p.stopTimer()
	p.phase = running
	if p.step.Fault != nil {
		a.apply(p)
	} else {
		a.do(context.Background(), p, a.task(p))
	}
}

// leftBehind lists something that the run leaves behind.
func (a *attempt) leftBehind(step, text string) {
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

// interruption is the message of an interrupted run, with the reason if any.
func interruption(ctx context.Context) string {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, ctx.Err()) {
		return fmt.Sprintf("the run was interrupted: %v", cause)
	}
	return "the run was interrupted"
}
