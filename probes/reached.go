package probes

import (
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var reachedKind = Kind{
	Activity: measuring(activity.Converged, following(question("reached", "waits until the state that a call must end in is reached, and stays",
		callArgument("the call")))),
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		w := t.watchStatus(call)
		for sample := range w.samples(ctx, t.Setup.pace(pace{longest: longestInterval})) {
			if wedged := t.stuck(ctx, w, call, 3*t.wedgeTime()); wedged != nil {
				return wedged.result(w.evidence(w.last))
			}
			switch progress := sample.reading.Progress; {
			case t.Recheck && progress != emco.Unknown && progress != emco.Done:
				return w.result(Failed, "no longer %s: status says %s", call.End, describe(sample.reading))
			case !ended(sample.reading) || !t.Recheck && w.held() < t.quiet():
			case progress == emco.Done:
				result := w.result(Passed, "%s after %s", call.End, rounded(w.same.Sub(w.began)))
				result.Evidence["held"] = rounded(w.held())
				return result
			default:
				return w.result(Failed, "status says %s, not %s", describe(sample.reading), call.End)
			}
		}
		return w.unfinished(ctx, fmt.Sprintf("%s was not reached", call.End))
	},
}

// measuring describes a probe that ends a recovery time when it passes.
func measuring(what string, described activity.Activity) activity.Activity {
	described.Measures = what
	return described
}

// following describes a probe for what a step's call has led to, which must still be so at the end.
func following(described activity.Activity) activity.Activity {
	described.Follows, described.Recheck = true, true
	return described
}
