package probes

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// notFinal waits for a status that shows a call's work under way.
type notFinal struct {
	call     emco.Call
	interval time.Duration
}

var notFinalKind = Kind{
	Activity: question("notFinal", "waits for a status that shows a call's work under way, before it is done",
		callArgument("the call that was accepted")),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return notFinal{call: call, interval: 20 * time.Millisecond}, err
	},
}

// Run passes on the state that the work has while it goes on, and on no
// other: the status lags, so that one from before the call proves nothing.
func (p notFinal) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchStatus(p.call, observer)
	for sample := range w.samples(ctx, pace{interval: p.interval}) {
		reading := sample.reading
		if reading.Progress == emco.UnderWay && p.call.UnderWay != "" && reading.Status.Deployed == p.call.UnderWay {
			return w.result(Passed, "status says %s after %s", describe(reading), w.after())
		}
		if ended(reading) {
			return w.result(Inconclusive, "status was final before it was seen under way: %s", describe(reading))
		}
	}
	return w.unseen(p.call.Name + " was not seen under way")
}
