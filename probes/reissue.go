package probes

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var reissueKind = Kind{
	Activity: lasting(question("reissue", "repeats a call until it is accepted, unless the status says that it is under way or done",
		callArgument("the call"))),
	run: reissue,
}

// lasting marks a probe whose requests may take effect after it is cancelled.
func lasting(described activity.Activity) activity.Activity {
	described.Lasting = true
	return described
}

// reissue repeats a call after an outage, if the status does not show it accepted.
func reissue(ctx context.Context, t task) Result {
	began := time.Now()
	call, _ := t.call()
	issue := &issuing{task: t, call: call}
	err := issue.run(ctx)

	var refused *refusal
	status := describe(issue.reading)
	result := Result{Conclusion: Passed}
	switch {
	case errors.As(err, &refused):
		result = Result{Conclusion: Failed, Message: "reissued, and refused: " + refused.Error()}
	case ctx.Err() != nil && err != nil:
		result = unfinished(ctx, time.Since(began), fmt.Sprintf("%s was not accepted (%s)", call.Name, issue.last()))
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
	result.Evidence = map[string]string{"posts": strconv.Itoa(issue.posts)}
	if issue.reading.Text != "" {
		result.Evidence["status"] = status
	}
	if issue.posts > 0 {
		result.Evidence["answer"] = issue.answer.Outcome.String()
		if issue.answer.Code != 0 {
			result.Evidence["answer"] = strconv.Itoa(issue.answer.Code)
		}
	}
	return result
}

// last describes the last status and the last answer.
func (i *issuing) last() string {
	text := "no status was read"
	if i.reading.Text != "" {
		text = "last status: " + describe(i.reading)
	}
	if i.posts > 0 {
		text += ", last answer: " + i.answer.String()
	}
	return text
}
