package probes

import (
	"context"
	"maps"
	"strconv"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var callKind = Kind{
	Activity: activity.Activity{
		Name: "call", Summary: "makes one call, once, and tells its moments; whatever becomes of it is its outcome",
		Arguments:  []activity.Argument{callArgument("the call")},
		Events:     []string{emco.Started, emco.Connected, emco.Sent, emco.FirstByte, emco.WasAccepted, emco.WasRejected, emco.HasFailed},
		Ends:       []string{emco.WasAccepted, emco.WasRejected, emco.HasFailed},
		HasOutcome: true, Lasting: true,
	},
	run: func(ctx context.Context, t task) Result {
		request, err := t.request(t.call)
		if err != nil {
			return errored(err)
		}
		answer, err := t.Client.Watch(ctx, request, func(m emco.Moment) {
			detail := map[string]string{}
			switch m.Name {
			case emco.Started:
				url, _ := t.Client.URL(request)
				detail = map[string]string{"call": t.call.Name, "service": string(t.call.Service), "request": request.Method + " " + url}
			case emco.WasAccepted, emco.WasRejected, emco.HasFailed:
				detail = outcomeDetail(m.Outcome)
			}
			t.Event(m.Name, m.At, detail)
		})
		if err != nil {
			return errored(err)
		}
		result := Result{Conclusion: Passed, Message: t.call.Name + ": " + answer.String(),
			Outcome: answer.Outcome.String(), Evidence: outcomeDetail(answer.Outcome)}
		result.Evidence["took"] = rounded(answer.Ended.Sub(answer.Started))
		if answer.Outcome.Kind == emco.Rejected {
			result.Evidence["body"] = answer.Text()
		}
		return result
	},
}

func outcomeDetail(o emco.Outcome) map[string]string {
	detail := map[string]string{"outcome": o.String(), "sent": strconv.FormatBool(o.Sent), "words": o.Words}
	if o.Code != 0 {
		detail["code"] = strconv.Itoa(o.Code)
	}
	if o.Gateway {
		detail["gateway"] = "true"
	}
	maps.DeleteFunc(detail, func(_, text string) bool { return text == "" })
	return detail
}
