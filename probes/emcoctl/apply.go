package emcoctl

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Apply posts resources in their order. After instantiate and terminate it
// waits until EMCO has done them, since what comes next may need it. It
// returns an error that wraps [ErrRefused] or [ErrUnreachable].
func Apply(ctx context.Context, client *emco.Client, resources []Resource, options Options, observer Observer) error {
	w := work{client: client, options: options, observer: observer}
	return w.all(ctx, resources, w.apply)
}

// Delete takes resources back in the reverse order, as emcoctl does: what
// was instantiated is terminated, other calls are left out, and the rest is
// deleted. It returns an error that wraps [ErrRefused] or [ErrUnreachable].
func Delete(ctx context.Context, client *emco.Client, resources []Resource, options Options, observer Observer) error {
	w := work{client: client, options: options, observer: observer}
	backwards := slices.Clone(resources)
	slices.Reverse(backwards)
	return w.all(ctx, backwards, w.delete)
}

// work is one Apply or Delete.
type work struct {
	client   *emco.Client
	options  Options
	observer Observer
	last     bool // it is the last resource's turn
}

func (w *work) all(ctx context.Context, resources []Resource, do func(context.Context, Resource) Step) error {
	refused := 0
	for i, resource := range resources {
		if ctx.Err() != nil {
			return fmt.Errorf("ended before all was done: %w", ErrUnreachable)
		}
		w.last = i == len(resources)-1
		began := time.Now()
		step := do(ctx, resource)
		step.Resource, step.Took = resource, time.Since(began)
		w.observer.Step(step)
		switch {
		case step.Verdict == Unreachable:
			return fmt.Errorf("%s: %s: %w", step.Anchor, step.Text, ErrUnreachable)
		case step.Verdict == Refused:
			refused++
			if !w.options.KeepGoing {
				return fmt.Errorf("%s: %s: %w", step.Anchor, step.Text, ErrRefused)
			}
		}
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d: %w", refused, len(resources), ErrRefused)
	}
	return nil
}

// send makes one call. A step comes back if no answer did.
func (w *work) send(ctx context.Context, request emco.Request) (emco.Answer, *Step) {
	answer, err := w.client.Do(ctx, request)
	if err != nil {
		return answer, &Step{Anchor: request.Anchor, Verdict: Unreachable, Text: err.Error()}
	}
	w.observer.Call(request.Anchor, answer)
	if !answer.Outcome.Answered() {
		return answer, &Step{Anchor: request.Anchor, Verdict: Unreachable, Text: answer.String(), Answer: &answer}
	}
	return answer, nil
}

// already is the step of what needed nothing.
func (w *work) already(anchor string, answer *emco.Answer, text string) Step {
	step := Step{Anchor: anchor, Verdict: Already, Text: text, Answer: answer}
	if w.options.Strict {
		step.Verdict = Refused
	}
	return step
}

func (w *work) apply(ctx context.Context, resource Resource) Step {
	answer, failed := w.send(ctx, resource.Post())
	if failed != nil {
		return *failed
	}
	step := Step{Anchor: resource.Anchor, Answer: &answer, Text: answer.String()}
	subject, known := subjectOf(resource)
	switch {
	case answer.Outcome.Kind == emco.Accepted:
		step.Verdict = Done
		if known && answer.Code == http.StatusAccepted {
			return w.await(ctx, step, subject)
		}
	case resource.Own() != "" && answer.Code == http.StatusConflict && strings.Contains(string(answer.Body), "already exists"):
		return w.already(resource.Anchor, &answer, resource.Own()+" is there already, and is left as it is")
	case known && subject.call.Meaning(answer) == emco.Already:
		return w.confirm(ctx, step, subject)
	default:
		step.Verdict = Refused
	}
	return step
}

// subject is what a call works on, and how to see how far it has come.
type subject struct {
	call  emco.Call
	names emco.Names
}

// subjectOf finds the subject of a call that the table of calls knows; false
// for all else.
func subjectOf(resource Resource) (subject, bool) {
	last := resource.Call()
	if last == "" {
		return subject{}, false
	}
	return subjectAt(resource.on(), last)
}

func subjectAt(anchor, last string) (subject, bool) {
	chosen, word, rest, err := emco.ParseAnchor(anchor)
	if err != nil || rest != "" {
		return subject{}, false
	}
	name, known := map[string]string{"{dig}": "dig.", "{logicalCloud}": "logical-cloud."}[word]
	if !known {
		return subject{}, false
	}
	call, known := emco.CallNamed(name + last)
	if !known {
		return subject{}, false
	}
	names, err := emco.NewNames("emcoctl", 1)
	if err == nil {
		names, err = names.Choose(chosen)
	}
	return subject{call: call, names: names}, err == nil
}

// read asks once how far the call has come.
func (w *work) read(ctx context.Context, on subject) (emco.Reading, emco.Answer, error) {
	answer, err := w.client.Do(ctx, on.call.Status(on.names))
	if err != nil {
		return emco.Reading{}, answer, err
	}
	return on.call.Read(answer), answer, nil
}

// await waits until what was accepted is done.
func (w *work) await(ctx context.Context, step Step, on subject) Step {
	if w.last && w.options.NoWait {
		return step
	}
	limited, cancel := context.WithTimeout(ctx, w.options.patience())
	defer cancel()
	began := time.Now()
	last := "none was read"
	for {
		reading, _, err := w.read(limited, on)
		switch {
		case err != nil:
			step.Verdict, step.Text = Unreachable, err.Error()
			return step
		case reading.Progress == emco.Done:
			step.Text += fmt.Sprintf("; %s after %s", reading.Text, time.Since(began).Round(time.Millisecond))
			return step
		case reading.Progress == emco.GaveUp:
			step.Verdict = Refused
			step.Text += "; then the status says " + reading.Text
			return step
		}
		if limited.Err() == nil {
			last = reading.Text
		}
		if !pause(limited, w.options.interval()) {
			step.Verdict = Refused
			if ctx.Err() != nil {
				step.Verdict = Unreachable
			}
			step.Text += fmt.Sprintf("; %s was not reached within %s (last status: %s)", on.call.End, time.Since(began).Round(time.Millisecond), last)
			return step
		}
	}
}

// confirm looks whether an answer that says "already" is true.
func (w *work) confirm(ctx context.Context, step Step, on subject) Step {
	reading, _, err := w.read(ctx, on)
	switch {
	case err != nil:
		step.Verdict, step.Text = Unreachable, err.Error()
		return step
	case reading.Progress == emco.Done:
		return w.already(step.Anchor, step.Answer, "was done already: status says "+reading.Text)
	case reading.Progress == emco.UnderWay && !w.options.Strict:
		step.Verdict = Already
		return w.await(ctx, step, on)
	}
	step.Verdict = Refused
	step.Text += "; status says " + reading.Text
	return step
}

func (w *work) delete(ctx context.Context, resource Resource) Step {
	switch resource.Call() {
	case "":
	case instantiate:
		return w.terminate(ctx, resource)
	case apply:
		return w.post(ctx, resource.on()+"/"+terminate)
	default:
		return Step{Anchor: resource.Anchor, Verdict: Skipped, Text: "there is nothing to take back from " + path.Base(resource.Anchor)}
	}
	own := resource.Own()
	answer, failed := w.send(ctx, emco.Delete(own))
	if failed != nil {
		return *failed
	}
	step := Step{Anchor: own, Answer: &answer, Text: answer.String(), Verdict: Refused}
	switch {
	case answer.Outcome.Kind == emco.Accepted:
		step.Verdict = Done
	case answer.Missing():
		return w.already(own, &answer, "was not there")
	}
	return step
}

// terminate terminates what was instantiated, and waits for it: EMCO deletes
// nothing that is deployed.
func (w *work) terminate(ctx context.Context, resource Resource) Step {
	anchor := resource.on() + "/" + terminate
	on, known := subjectAt(resource.on(), terminate)
	if !known {
		return w.post(ctx, anchor)
	}
	reading, answer, err := w.read(ctx, on)
	switch {
	case err != nil:
		return Step{Anchor: anchor, Verdict: Unreachable, Text: err.Error()}
	case !answer.Outcome.Answered():
		w.observer.Call(answer.Request.Anchor, answer)
		return Step{Anchor: anchor, Verdict: Unreachable, Text: answer.String(), Answer: &answer}
	case answer.Outcome.Kind == emco.Rejected && answer.Code < 500 && strings.Contains(string(answer.Body), "not found"):
		return w.already(anchor, nil, "was not there")
	case reading.Progress == emco.Done:
		return w.already(anchor, nil, "was terminated already")
	case reading.Progress == emco.UnderWay && reading.Ours:
		return w.await(ctx, Step{Anchor: anchor, Verdict: Already, Text: "is being terminated already"}, on)
	case reading.Progress != emco.Unknown && reading.Status.ContextID == "":
		// EMCO accepts the terminate of a logical cloud that was never
		// instantiated, and then does nothing.
		return Step{Anchor: anchor, Verdict: Skipped, Text: "was never instantiated"}
	}
	step := w.post(ctx, anchor)
	switch {
	case step.Verdict == Done:
		return w.await(ctx, step, on)
	case step.Verdict == Refused && on.call.Meaning(*step.Answer) == emco.Already:
		return w.confirm(ctx, step, on)
	}
	return step
}

// post makes a call without a body.
func (w *work) post(ctx context.Context, anchor string) Step {
	answer, failed := w.send(ctx, emco.Post(anchor))
	if failed != nil {
		return *failed
	}
	step := Step{Anchor: anchor, Answer: &answer, Text: answer.String(), Verdict: Refused}
	if answer.Outcome.Kind == emco.Accepted {
		step.Verdict = Done
	}
	return step
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
