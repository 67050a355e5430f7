package probes

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// noState waits for a status that gives no state, because the microservice
// that would give it is down.
type noState struct {
	call     emco.Call
	interval time.Duration
	// patience bounds one GET: one that hangs gives no state either. It is
	// short because a service can be down for less than half a second, and many
	// a GET hangs then: a Service of Kubernetes without endpoints refuses by
	// ICMP, and Linux sends of those six at once and one a second after that
	// (net.ipv4.icmp_ratelimit); the rest is dropped.
	patience time.Duration
}

var noStateKind = Kind{
	Activity: question("noState", "waits for a status of a call that gives no state, and sees none that says the call took effect",
		callArgument("the call whose answer was lost")),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return noState{call: call, interval: 20 * time.Millisecond, patience: 200 * time.Millisecond}, err
	},
}

// Run passes when a status was asked for and no state came. A state from
// before the call can still be on its way and is asked for again. One that
// the call led to must not be seen: who reads it while the microservice is
// down takes an error for a state, or asked one that is not down.
func (p noState) Run(ctx context.Context, on Subject, observer Observer) Result {
	w := on.watchStatus(p.call, observer)
	ask := w.ask
	w.ask = func(ctx context.Context) sample {
		ctx, cancel := context.WithTimeout(ctx, p.patience)
		defer cancel()
		return ask(ctx)
	}
	for sample := range w.samples(ctx, pace{interval: p.interval, hedged: true}) {
		switch reading := sample.reading; {
		case reading.Progress == emco.Unknown:
			return w.result(Passed, "status gives %s after %s", reading.Text, w.after())
		case reading.Ours:
			return w.result(Inconclusive, "status says %s: %s took effect, or was not cut off", describe(reading), p.call.Name)
		}
	}
	return w.unseen("every status gave a state")
}
