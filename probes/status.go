package probes

import (
	"context"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// statusOnce tells the state of what a call works on.
type statusOnce struct {
	call  emco.Call
	state emco.State // empty: any
}

var statusKind = Kind{
	Activity: question("status", "tells the state of what a call works on",
		callArgument("the call whose status is read"),
		activity.Argument{Name: "state", Type: activity.Text, Description: "the state that it must be in, such as Instantiating; any if left out"}),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return statusOnce{call: call, state: emco.State(a.text("state"))}, err
	},
}

// Run asks until an answer gives a state.
func (p statusOnce) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchStatus(p.call, observer)
	for sample := range w.samples(ctx, on.Setup.steady()) {
		switch reading := sample.reading; {
		case reading.Progress == emco.Unknown:
		case p.state == "" || stateOf(reading) == p.state:
			return w.result(Passed, "status says %s", reading.Text)
		default:
			return w.result(Failed, "status says %s, not %s", reading.Text, p.state)
		}
	}
	return w.unfinished(ctx, "no status gave a state")
}
