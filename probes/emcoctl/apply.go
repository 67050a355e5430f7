package emcoctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Verdict says what became of one resource.
type Verdict string

const (
	Done        Verdict = "done"        // and the state was reached, if it was waited for
	Already     Verdict = "already"     // it was as it should be, and nothing was changed
	Skipped     Verdict = "skipped"     // there is nothing to do for it
	Refused     Verdict = "refused"     // EMCO answered so, or did not reach the state
	Unreachable Verdict = "unreachable" // no answer of EMCO's came
)

// Step is what was done for one resource.
type Step struct {
	Resource Resource
	Anchor   string // what was posted to or deleted
	Verdict  Verdict
	Answer   *emco.Answer  // to the POST or the DELETE; nil if there was none
	Text     string        // what became of it, in one line
	Took     time.Duration // from the first call to the verdict
}

func (s Step) end(verdict Verdict, text string) Step {
	s.Verdict, s.Text = verdict, text
	return s
}

// Observer sees what is done.
type Observer interface {
	// Call comes after each POST and DELETE.
	Call(anchor string, answer emco.Answer)
	// Step comes after each resource.
	Step(Step)
}

// Options say how to apply and delete.
type Options struct {
	// Strict takes it for a refusal that something is there already when it
	// is applied, or gone already when it is deleted.
	Strict bool
	// KeepGoing goes on after a refusal, and past a service that is not reached, as
	// emcoctl does.
	KeepGoing bool
	// NoWait does not wait for the state that the last call leads to. What a
	// call follows on is always waited for.
	NoWait bool
	// Also are anchors of what Delete takes back with all that is below it, be
	// it shared, or there before Apply.
	Also     []string
	Patience time.Duration // bounds the wait for one state; 0 means five minutes
	Interval time.Duration // between two readings of a state; 0 means 200 ms
}

// The errors of [Apply] and [Delete].
var (
	// ErrRefused: EMCO refused something, or did not reach a state in time.
	ErrRefused = errors.New("EMCO refused something")
	// ErrUnreachable: EMCO could not be reached, or the work was ended.
	ErrUnreachable = errors.New("EMCO could not be reached")
)

var failures = map[Verdict]error{Refused: ErrRefused, Unreachable: ErrUnreachable}

// Apply posts resources in their order, and marks what it makes. After instantiate and terminate it
// waits until EMCO has done them, since what comes next may need it. It returns an
// error that wraps [ErrRefused] or [ErrUnreachable].
func Apply(ctx context.Context, client *emco.Client, resources []Resource, options Options, observer Observer) error {
	o := operation{client: client, options: options, observer: observer}
	return o.all(ctx, resources, o.apply)
}

// operation is one Apply or Delete.
type operation struct {
	client   *emco.Client
	options  Options
	observer Observer
	last     bool     // the last resource is being worked on
	named    []string // anchors of what the files of a Delete describe
}

func (o *operation) all(ctx context.Context, resources []Resource, do func(context.Context, Resource) Step) error {
	counts := map[Verdict]int{}
	for i, resource := range resources {
		if ctx.Err() != nil {
			return fmt.Errorf("ended before all was done: %w", ErrUnreachable)
		}
		o.last = i == len(resources)-1
		began := time.Now()
		step := do(ctx, resource)
		step.Resource, step.Took = resource, time.Since(began)
		o.observer.Step(step)
		counts[step.Verdict]++
		if err := failures[step.Verdict]; err != nil && !o.options.KeepGoing {
			return fmt.Errorf("%s: %s: %w", step.Anchor, step.Text, err)
		}
	}
	for _, verdict := range []Verdict{Unreachable, Refused} {
		if counts[verdict] > 0 {
			return fmt.Errorf("%d of %d: %w", counts[verdict], len(resources), failures[verdict])
		}
	}
	return nil
}

func (o *operation) apply(ctx context.Context, resource Resource) Step {
	step := o.send(ctx, resource.marked().Post())
	switch {
	case resource.Call() != "":
		return o.follow(ctx, step, trackedAt(resource.Anchor))
	case step.Verdict == Refused && step.Answer.Code == http.StatusConflict && strings.Contains(string(step.Answer.Body), "already exists"):
		return o.already(step, resource.Own()+" is there already, and is left as it is")
	}
	return step
}

func (o *operation) send(ctx context.Context, request emco.Request) Step {
	step := Step{Anchor: request.Anchor}
	answer, err := o.client.Do(ctx, request)
	if err != nil {
		return step.end(Unreachable, err.Error())
	}
	o.observer.Call(request.Anchor, answer)
	step.Answer = &answer
	return step.end(verdictOf(answer), answer.String())
}

func verdictOf(answer emco.Answer) Verdict {
	return cmp.Or(map[emco.OutcomeKind]Verdict{emco.Accepted: Done, emco.Rejected: Refused}[answer.Outcome.Kind], Unreachable)
}

// already ends the step of what needed nothing.
func (o *operation) already(step Step, text string) Step {
	if o.options.Strict {
		return step.end(Refused, text)
	}
	return step.end(Already, text)
}

// trackedCall is a call whose progress EMCO's status shows.
type trackedCall struct {
	emco.Call
	names emco.Names
}

// trackedAt finds the call of the table that an anchor is; nil if it is another.
func trackedAt(anchor string) *trackedCall {
	chosen, err := emco.ParseAnchor(anchor)
	names, _ := emco.NewNames("emcoctl", 1) // it is always one
	if err == nil {
		names, err = names.Choose(chosen)
	}
	for _, name := range emco.CallNames() {
		if call, _ := emco.CallNamed(name); err == nil && call.Creates == "" && names.Anchor(call.Path) == anchor {
			return &trackedCall{call, names}
		}
	}
	return nil
}

func (o *operation) read(ctx context.Context, call *trackedCall) (emco.Reading, emco.Answer, error) {
	answer, err := o.client.Do(ctx, call.Status(call.names))
	return call.Read(answer), answer, err
}

// follow waits until EMCO has done a call, if it is tracked. A refusal that
// says it is under way or done already must be confirmed by the status: EMCO
// gives some of them for what was never begun.
func (o *operation) follow(ctx context.Context, step Step, call *trackedCall) Step {
	if call == nil || step.Verdict == Unreachable {
		return step
	}
	claimed := step.Verdict == Refused
	if claimed && call.Meaning(*step.Answer) != emco.Already {
		return step
	}
	limited, cancel := context.WithTimeout(ctx, cmp.Or(o.options.Patience, 5*time.Minute))
	defer cancel()
	began, last := time.Now(), "none was read"
	for claimed || !o.last || !o.options.NoWait {
		reading, _, err := o.read(limited, call)
		switch {
		case err != nil:
			return step.end(Unreachable, err.Error())
		case claimed && (reading.Progress == emco.Done || reading.Status.Deployed == call.End):
			// The history of what was killed in its terminate need not have it.
			return o.already(step, "was done already: status says "+reading.Text)
		case claimed && (reading.Progress != emco.UnderWay || o.options.Strict):
			return step.end(Refused, step.Text+"; status says "+reading.Text)
		case claimed:
			step.Verdict, claimed = Already, false
			continue
		case reading.Progress == emco.Done:
			return step.end(step.Verdict, fmt.Sprintf("%s; %s after %s", step.Text, reading.Text, time.Since(began).Round(time.Millisecond)))
		case reading.Progress == emco.GaveUp:
			return step.end(Refused, step.Text+"; then the status says "+reading.Text)
		case limited.Err() == nil:
			last = reading.Text
		}
		select {
		case <-time.After(cmp.Or(o.options.Interval, 200*time.Millisecond)):
		case <-limited.Done():
			verdict := Refused
			if ctx.Err() != nil {
				verdict = Unreachable
			}
			return step.end(verdict, fmt.Sprintf("%s; %s was not reached within %s (last status: %s)",
				step.Text, call.End, time.Since(began).Round(time.Millisecond), last))
		}
	}
	return step
}
