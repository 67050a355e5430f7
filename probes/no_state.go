package probes

import (
	"context"
	"fmt"
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
	began := time.Now()
	seen := changes{observer: observer}
	type status struct {
		emco.Reading
		answer emco.Answer
		err    error
	}
	ask := func(ctx context.Context) status {
		limited, cancel := context.WithTimeout(ctx, p.patience)
		defer cancel()
		reading, answer, err := on.read(limited, p.call)
		return status{reading, answer, err}
	}
	var last emco.Reading
	for status := range volley(ctx, p.interval, ask) {
		if status.err != nil {
			return errored(status.err)
		}
		if ctx.Err() != nil {
			break
		}
		last = status.Reading
		seen.see(status.answer.Ended, "status: "+describe(status.Reading))
		switch {
		case status.Progress == emco.Unknown:
			return Result{
				Conclusion: Passed,
				Message:    fmt.Sprintf("status gives %s after %s", status.Text, shown(status.answer.Ended.Sub(began))),
				Evidence:   readingEvidence(status.Reading),
			}
		case status.Ours:
			return Result{
				Conclusion: Inconclusive,
				Message:    fmt.Sprintf("status says %s: %s took effect, or was not cut off", describe(status.Reading), p.call.Name),
				Evidence:   readingEvidence(status.Reading),
			}
		}
	}
	return Result{
		Conclusion: Inconclusive,
		Message:    fmt.Sprintf("every status gave a state within %s (%s)", shown(time.Since(began)), or(seen.last, "none was read")),
		Evidence:   readingEvidence(last),
	}
}
