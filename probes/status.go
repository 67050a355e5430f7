package probes

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// statusOnce tells the state of what a call works on.
type statusOnce struct {
	call  emco.Call
	state emco.State // empty: any
}

var statusKind = Kind{
	Activity: question("status", "tells the state of what a call works on",
		callArgument("the call whose status is read"),
		activity.Argument{Name: "state", Type: activity.Text, Description: "the state that it must be in, such as Instantiating; any if left out"}),
	make: func(a arguments) (Probe, error) {
		call, err := a.call("call")
		return statusOnce{call: call, state: emco.State(a.text("state"))}, err
	},
}

// Run asks until an answer gives a state.
func (p statusOnce) Run(ctx context.Context, on Subject, observer Observer) Result {
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
		if reading.Progress != emco.Unknown {
			result := Result{
				Conclusion: Passed,
				Message:    "status says " + reading.Text,
				Evidence:   readingEvidence(reading),
			}
			if p.state != "" && stateOf(reading) != p.state {
				result.Conclusion = Failed
				result.Message += ", not " + string(p.state)
			}
			return result
		}
		if !pause(ctx, on.Setup.interval()) {
			return unfinished(ctx, time.Since(began), fmt.Sprintf("no status gave a state (%s)", or(seen.last, "none was read")))
		}
	}
}

// stateOf is the state of the deployment or, without one, the last action's.
func stateOf(reading emco.Reading) emco.State {
	if reading.Status.Deployed != "" {
		return reading.Status.Deployed
	}
	if last, ok := reading.Status.LastAction(); ok {
		return last.State
	}
	return emco.State(reading.Text)
}

// describe is a reading in one line, such as "Instantiating (Pending 4)".
func describe(reading emco.Reading) string {
	counts := reading.Status.Counts
	if len(counts) == 0 {
		return reading.Text
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", document.Shown(state), counts[state]))
	}
	return reading.Text + " (" + strings.Join(parts, ", ") + ")"
}

// readingEvidence is what a reading is to rest on.
func readingEvidence(reading emco.Reading) map[string]string {
	evidence := map[string]string{"status": describe(reading), "progress": string(reading.Progress)}
	if last, ok := reading.Status.LastAction(); ok {
		evidence["last action"] = document.Shown(string(last.State))
	}
	if reading.Status.ContextID != "" {
		evidence["statusctxid"] = document.Shown(reading.Status.ContextID)
	}
	return evidence
}

func or(text, otherwise string) string {
	if text != "" {
		return text
	}
	return otherwise
}
