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
	// patience bounds one GET: one that hangs gives no state either.
	patience time.Duration
}

var noStateKind = Kind{
	Name:    "noState",
	Summary: "waits for a status of a call that gives no state, and sees none that says the call took effect",
	Arguments: []Argument{
		{Name: "call", Type: Text, Required: true, Values: emco.CallNames(), Meaning: "the call whose answer was lost"},
	},
	Events: probeEvents(),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return noState{call: call, interval: 20 * time.Millisecond, patience: 500 * time.Millisecond}, err
	},
}

// Run passes when a status was asked for and no state came. A state from
// before the call can still be on its way and is asked for again. One that
// the call led to must not be seen: who reads it while the microservice is
// down takes an error for a state, or asked one that is not down.
func (p noState) Run(ctx context.Context, on Subject, observer Observer) Result {
	began := time.Now()
	seen := changes{observer: observer}
	for {
		limited, cancel := context.WithTimeout(ctx, p.patience)
		reading, answer, err := on.read(limited, p.call)
		cancel()
		if err != nil {
			return errored(err)
		}
		if ctx.Err() == nil {
			seen.see(answer.Ended, "status: "+describe(reading))
			switch {
			case reading.Progress == emco.Unknown:
				return Result{
					Conclusion: Passed,
					Message:    fmt.Sprintf("status gives %s after %s", reading.Text, shown(answer.Ended.Sub(began))),
					Evidence:   readingEvidence(reading),
				}
			case reading.Ours:
				return Result{
					Conclusion: Inconclusive,
					Message:    fmt.Sprintf("status says %s: %s took effect, or was not cut off", describe(reading), p.call.Name),
					Evidence:   readingEvidence(reading),
				}
			}
		}
		if !pause(ctx, p.interval) {
			return Result{
				Conclusion: Inconclusive,
				Message:    fmt.Sprintf("every status gave a state within %s (%s)", shown(time.Since(began)), or(seen.last, "none was read")),
				Evidence:   readingEvidence(reading),
			}
		}
	}
}
