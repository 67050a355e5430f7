package probes

import (
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var reachedKind = Kind{
	Activity: following(question("reached", "waits until the state that a call must end in is reached",
		callArgument("the call"))),
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		w := t.watchStatus(call)
		for sample := range w.samples(ctx, t.Setup.pace(pace{longest: longestInterval})) {
			switch sample.reading.Progress {
			case emco.Done:
				return w.result(Passed, "%s after %s", call.End, w.after())
			case emco.GaveUp:
				return w.result(Failed, "status says %s, not %s", describe(sample.reading), call.End)
			}
		}
		return w.unfinished(ctx, fmt.Sprintf("%s was not reached", call.End))
	},
}

// following describes a probe for what a step's call has led to, which must still be so at the end.
func following(described activity.Activity) activity.Activity {
	described.Follows, described.Recheck = true, true
	return described
}
