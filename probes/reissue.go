package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var reissueKind = Kind{
	Activity: with(func(a *activity.Activity) { a.Lasting = true }, question("reissue", "repeats a call until it is accepted, unless the status says that it is under way or done",
		callArgument("the call"))),
	run: reissue,
}

func reissue(ctx context.Context, t task) Result {
	began := time.Now()
	issue := t.issue(t.call, 0)
	err := issue.run(ctx)

	status := describe(issue.reading)
	evidence := map[string]string{"posts": strconv.Itoa(issue.posts)}
	last := "no status was read"
	if status != "" {
		evidence["status"], last = status, "last status: "+status
	}
	if issue.posts > 0 {
		last += ", last answer: " + issue.answer.String()
		evidence["answer"] = issue.answer.Outcome.String()
		if issue.answer.Code != 0 {
			evidence["answer"] = strconv.Itoa(issue.answer.Code)
		}
	}
	if wedged, ok := errors.AsType[*wedge](err); ok {
		return wedged.result(evidence)
	}
	result := Result{Conclusion: Passed}
	refused, isRefused := errors.AsType[refusal](err)
	switch {
	case isRefused:
		result = Result{Conclusion: Failed, Message: "reissued, and refused: " + refused.Error()}
	case ctx.Err() != nil && err != nil:
		result = unfinished(ctx, time.Since(began), fmt.Sprintf("%s was not accepted (%s)", t.call.Name, last))
	case err != nil:
		result = errored(err)
	case issue.reading.Ours && issue.reading.Progress == emco.GaveUp:
		result = Result{Conclusion: Failed, Message: "not reissued: status says " + status}
	case issue.posts == 0:
		result.Message = "not reissued: status says " + status
	case issue.answer.Outcome.Kind == emco.Accepted:
		result.Message = "reissued: " + issue.answer.String()
	default:
		// The answer was lost or said "already", and the status shows the call accepted.
		result.Message = fmt.Sprintf("reissued: %s; status says %s", issue.answer, status)
	}
	result.Evidence = evidence
	return result
}

// issuing makes EMCO accept a call: it reads the status first, and posts only
// what EMCO has not begun.
type issuing struct {
	task
	patience time.Duration // how long a reason of refusal may take to go away; 0: until the context ends

	posts   int
	answer  emco.Answer // to the last POST
	reading emco.Reading
	wedge   *wedge // of which the status was refused for long; it is one when the call was refused twice too
	refused int
}

func (t task) issue(call emco.Call, patience time.Duration) *issuing {
	t.call = call
	return &issuing{task: t, patience: patience}
}

// refusal is the error of a call that EMCO did not accept.
type refusal struct {
	error
	final bool // the reason does not go away by itself
}

// confirmations is how often the lagging status may disagree with "already".
const confirmations = 10

// run posts until the call is accepted, or the status shows it so. It returns a
// [refusal], or the context's error.
func (i *issuing) run(ctx context.Context) error {
	request, err := i.request(i.call)
	if err != nil {
		return err
	}
	var refused refusal
	attempt := func(ctx context.Context) error { return i.attempt(ctx, request) }
	for err := range poll(ctx, i.Setup.pace(pace{patience: i.patience}), attempt) {
		if !errors.As(err, &refused) || refused.final {
			return err
		}
	}
	return cmp.Or(ctx.Err(), error(refused))
}

// attempt posts once, if the status does not show the call accepted.
func (i *issuing) attempt(ctx context.Context, request emco.Request) error {
	if err := i.settle(ctx); err != nil || i.reading.Ours {
		return err
	}
	posted := i.send(ctx, request)
	if posted.Started.IsZero() {
		return posted.err // it could not be sent
	}
	i.posts++
	i.answer = posted.Answer
	i.Note(posted.Ended, fmt.Sprintf("POST %s --> %s", request.Anchor, posted))
	if posted.err != nil || posted.Outcome.Kind == emco.Accepted {
		return posted.err
	}
	refused := refusal{error: fmt.Errorf("POST %s: %s", request.Anchor, posted)}
	if i.wedge != nil && posted.Code >= 500 {
		if i.refused++; i.refused == 2 {
			i.wedge.tried += fmt.Sprintf("; POST %s, twice: %s", path.Base(request.Anchor), posted)
			return i.wedge
		}
		return refused
	}
	meaning := i.call.Meaning(posted.Answer)
	refused.final = meaning == emco.Never
	if meaning == emco.Already {
		return i.confirm(ctx, refused)
	}
	return refused
}

// settle reads the status until it shows the call accepted, or shows twice
// running that it was not: one reading proves nothing.
func (i *issuing) settle(ctx context.Context) error {
	notBegun := 0
	return i.read(ctx, pace{patience: i.patience}, func() bool {
		notBegun++
		if i.reading.Progress == emco.Unknown || i.reading.Progress == emco.UnderWay {
			notBegun = 0
		}
		return notBegun == 2
	})
}

// confirm finds out whether a call is under way or done, as EMCO refused it for being.
func (i *issuing) confirm(ctx context.Context, refused refusal) error {
	left := confirmations
	err := i.read(ctx, pace{}, func() bool { left--; return left <= 0 && i.reading.Progress != emco.Done })
	if err == nil && !i.reading.Ours && i.reading.Progress != emco.Done {
		return refusal{fmt.Errorf("%w; status says %s", refused, describe(i.reading)), true}
	}
	return err
}

// read reads the status until it shows the call accepted, and long enough if it shows it done, or enough was read.
func (i *issuing) read(ctx context.Context, p pace, enough func() bool) error {
	w := i.watchStatus(i.call)
	for sample := range w.samples(ctx, p) {
		i.reading = sample.reading
		if i.wedge = w.stuck(ctx, i.wedgeTime()); i.wedge != nil {
			return nil
		}
		done := ended(i.reading)
		if i.reading.Ours && !done || done && w.held() >= w.hold || !i.reading.Ours && enough() {
			return nil
		}
	}
	return w.failure(ctx)
}
