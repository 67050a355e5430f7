package probes

import (
	"context"
	"fmt"
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
	began := time.Now()
	seen := changes{observer: observer}
	for {
		reading, answer, err := on.read(ctx, p.call)
		if err != nil {
			return errored(err)
		}
		if !over(ctx) {
			seen.see(answer.Ended, "status: "+describe(reading))
		}
		switch {
		case reading.Progress == emco.UnderWay && p.call.UnderWay != "" && reading.Status.Deployed == p.call.UnderWay:
			return Result{
				Conclusion: Passed,
				Message:    fmt.Sprintf("status says %s after %s", describe(reading), shown(answer.Ended.Sub(began))),
				Evidence:   readingEvidence(reading),
			}
		case reading.Progress == emco.Done, reading.Progress == emco.GaveUp:
			return Result{
				Conclusion: Inconclusive,
				Message:    "status was final before it was seen under way: " + describe(reading),
				Evidence:   readingEvidence(reading),
			}
		}
		if !pause(ctx, p.interval) {
			return Result{
				Conclusion: Inconclusive,
				Message: fmt.Sprintf("%s was not seen under way within %s (%s)",
					p.call.Name, shown(time.Since(began)), or(seen.last, "no status was read")),
				Evidence: readingEvidence(reading),
			}
		}
	}
}
