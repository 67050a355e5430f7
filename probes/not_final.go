package probes

import (
	"context"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var notFinalKind = Kind{
	Activity: question("notFinal", "waits for a status that shows a call's work under way, before it is done",
		callArgument("the call that was accepted")),
	run: notFinal,
}

// notFinal waits for the state of the call's own work: the status lags, so that
// one from before the call proves nothing.
func notFinal(ctx context.Context, t task) Result {
	call, _ := t.call()
	w := t.watchStatus(call)
	for sample := range w.samples(ctx, t.Setup.pace(pace{interval: shortInterval})) {
		reading := sample.reading
		if reading.Progress == emco.UnderWay && call.UnderWay != "" && reading.Status.Deployed == call.UnderWay {
			return w.result(Passed, "status says %s after %s", describe(reading), w.after())
		}
		if ended(reading) {
			return w.result(Inconclusive, "status was final before it was seen under way: %s", describe(reading))
		}
	}
	return w.unseen(call.Name + " was not seen under way")
}
