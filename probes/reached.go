package probes

import (
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var reachedKind = Kind{
	Activity: with(func(a *activity.Activity) { following(a); a.Measures = activity.Converged },
		question("reached", "waits until the state that a call must end in is reached, and stays", callArgument("the call"))),
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
