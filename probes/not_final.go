package probes

import (
	"context"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var notFinalKind = Kind{
	Activity: question("notFinal", "waits for a status that shows a call's work under way, before it is done",
		callArgument("the call that was accepted")),
	// The status lags: one from before the call, or of a request that EMCO has not accepted, proves nothing.
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		w := t.watchStatus(call)
		for sample := range w.samples(ctx, t.Setup.pace(pace{interval: shortInterval})) {
			switch reading := sample.reading; {
			case reading.Ours && reading.Progress == emco.UnderWay && call.UnderWay != "" && reading.Status.Deployed == call.UnderWay:
				return w.result(Passed, "status says %s after %s", describe(reading), w.after())
			case ended(reading):
				return w.result(Inconclusive, "status was final before it was seen under way: %s", describe(reading))
			}
		}
		return w.unseen(call.Name + " was not seen under way")
	},
}
