package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// reached waits until the state that a call must end in is reached, by that
// call.
type reached struct {
	call emco.Call
}

var reachedKind = Kind{
	Activity: following(question("reached", "waits until the state that a call must end in is reached",
		callArgument("the call"))),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return reached{call: call}, err
	},
}

// following describes a probe for what a step's call has led to.
func following(described activity.Activity) activity.Activity {
	described.Follows = true
	return described
}

func (p reached) Run(ctx context.Context, on Subject, observer Observer) Result {
	began := time.Now()
	reading, err := on.await(ctx, p.call, observer, func(r emco.Reading) bool {
		return r.Progress == emco.Done || r.Progress == emco.GaveUp
	})
	var result Result
	switch {
	case err != nil:
		return errored(err)
	case reading.Progress == emco.Done:
		result = Result{Conclusion: Passed, Message: fmt.Sprintf("%s after %s", p.call.End, shown(time.Since(began)))}
	case reading.Progress == emco.GaveUp:
		result = Result{Conclusion: Failed, Message: fmt.Sprintf("status says %s, not %s", describe(reading), p.call.End)}
	default:
		result = unfinished(ctx, time.Since(began), fmt.Sprintf("%s was not reached (last status: %s)", p.call.End, describe(reading)))
	}
	result.Evidence = readingEvidence(reading)
	return result
}

// await reads a call's status, at growing intervals, until it is as wanted
// or ctx ends, and notes each change. It returns the last reading that ctx
// did not cut short.
func (s Subject) await(ctx context.Context, call emco.Call, observer Observer, wanted func(emco.Reading) bool) (emco.Reading, error) {
	seen := changes{observer: observer}
	last := emco.Reading{Progress: emco.Unknown, Text: "none was read"}
	for interval := s.Setup.interval(); ; interval = min(interval*3/2, max(longestInterval, s.Setup.interval())) {
		reading, answer, err := s.read(ctx, call)
		if err != nil {
			return emco.Reading{}, err
		}
		if wanted(reading) || !over(ctx) {
			last = reading
			seen.see(answer.Ended, "status: "+describe(reading))
		}
		if wanted(reading) || !pause(ctx, interval) {
			return last, nil
		}
	}
}
