package probes

import (
	"context"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// finalStatePatience bounds how long a teardown waits for the state of one
// resource that existed before the run.
const finalStatePatience = 30 * time.Second

// reportFinalState tells in which state resources that exist already are left.
// It changes nothing.
func (t task) reportFinalState(ctx context.Context) Result {
	result := Result{Conclusion: Passed, Evidence: map[string]string{"removed": "0"}}
	var states []string
	for _, l := range lifecycles {
		if !t.Names.Chose(l.word) {
			continue
		}
		state, known := t.finalState(ctx, l)
		if !known {
			result.Conclusion = Errored
			state = "in a state that is not known: " + state
		}
		result.Evidence[string(l.kind)] = state
		states = append(states, t.Names.Anchor(l.word)+" "+state)
	}
	result.Message = "nothing was removed; left as they are: " + strings.Join(states, ", ")
	return result
}

// finalState is the state of a resource, or why it is not known.
func (t task) finalState(ctx context.Context, l lifecycle) (state string, known bool) {
	ctx, cancel := context.WithTimeout(ctx, finalStatePatience)
	defer cancel()
	if answer := t.get(ctx, t.Names.Anchor(l.word)); answer.err == nil && answer.Missing() {
		return string(emco.Absent), true
	}
	reading, err := t.await(ctx, callNamed(l.instantiate), func(r emco.Reading) bool { return r.Progress != emco.Unknown })
	switch {
	case err != nil:
		return err.Error(), false
	case reading.Progress == emco.Unknown:
		return reading.Text, false
	}
	return describe(reading), true
}
