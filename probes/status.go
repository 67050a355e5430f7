package probes

import (
	"cmp"
	"context"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var statusKind = Kind{
	Activity: question("status", "tells the state of what a call works on",
		callArgument("the call whose status is read"),
		activity.Argument{Name: "state", Type: activity.Text, Description: "the state that it must be in, such as Instantiating; any if left out"}),
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		wanted := emco.State(t.text("state")) // empty: any
		w := t.watchStatus(call)
		for sample := range w.samples(ctx, t.Setup.pace(pace{})) {
			reading := sample.reading
			fits := wanted == "" || wanted == cmp.Or(reading.Status.Deployed, reading.Status.LastAction(), emco.State(reading.Text))
			switch {
			case reading.Progress == emco.Unknown:
			case fits && (wanted == "" || !reading.Status.Final() || w.held() >= t.quiet()):
				return w.result(Passed, "status says %s", reading.Text)
			case !fits && w.held() >= t.quiet(): // the status lags
				return w.result(Failed, "status says %s, not %s", reading.Text, wanted)
			}
		}
		return w.unfinished(ctx, "no status gave a state")
	},
}
