package probes

import (
	"cmp"
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var noStateKind = Kind{
	Activity: question("noState", "waits for a status of a call that gives no state, and sees none that says the call took effect",
		callArgument("the call whose answer was lost")),
	// A state from before the call can still be on its way. One that the call led to
	// must not be seen: an error was read as a state, or the microservice was up.
	run: func(ctx context.Context, t task) Result {
		call, _ := t.call()
		w := t.watchStatus(call)
		ask := w.ask
		w.ask = func(ctx context.Context) sample {
			ctx, cancel := context.WithTimeout(ctx, cmp.Or(t.Setup.patience, noStateTimeout))
			defer cancel()
			return ask(ctx)
		}
		for sample := range w.samples(ctx, t.Setup.pace(pace{interval: shortInterval, hedged: true})) {
			switch reading := sample.reading; {
			case reading.Progress == emco.Unknown:
				return w.result(Passed, "status gives %s after %s", reading.Text, w.after())
			case reading.Ours, reading.Progress == emco.Done:
				return w.result(Inconclusive, "status says %s: %s took effect, or was not cut off", describe(reading), call.Name)
			}
		}
		return w.unseen("every status gave a state")
	},
}

// noStateTimeout bounds one GET: one that hangs gives no state either. A service
// can be down for less than half a second, and many a GET hangs then: a Service of
// Kubernetes without endpoints refuses by ICMP, of which Linux sends six at once
// and then one a second (net.ipv4.icmp_ratelimit).
const noStateTimeout = 200 * time.Millisecond
