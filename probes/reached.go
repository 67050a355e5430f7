package probes

import (
	"context"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// reached waits until the state that a call must end in is reached, by that
// call.
type reached struct {
	call emco.Call
}

var reachedKind = Kind{
	Activity: following(question("reached", "waits until the state that a call must end in is reached",
		callArgument("the call"))),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return reached{call: call}, err
	},
}

// following describes a probe for what a step's call has led to.
func following(described activity.Activity) activity.Activity {
	described.Follows = true
	return described
}

func (p reached) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchStatus(p.call, observer)
	for sample := range w.samples(ctx, on.Setup.growing()) {
		switch sample.reading.Progress {
		case emco.Done:
			return w.result(Passed, "%s after %s", p.call.End, w.after())
		case emco.GaveUp:
			return w.result(Failed, "status says %s, not %s", describe(sample.reading), p.call.End)
		}
	}
	return w.unfinished(ctx, fmt.Sprintf("%s was not reached", p.call.End))
}
