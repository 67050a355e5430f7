package probes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var teardownKind = Kind{
	Activity: action("teardown", "terminates and removes all resources of the attempt"),
	run:      teardown,
}

// teardown removes the attempt's resources, in the order in which EMCO lets them
// go. What existed before the run stays, and its state is reported.
func teardown(ctx context.Context, t task) Result {
	if err := t.awaitUnanswered(ctx); err != nil {
		return errored(err)
	}
	if t.Existing {
		return t.reportFinalState(ctx)
	}
	r := newRemoval(t)
	r.own = true
	return r.result("", r.attempt(ctx, t.Names))
}

// awaitUnanswered waits for the calls that may still take effect, and would make
// again what is removed before. A held call is answered up to 18 s after the release.
func (t task) awaitUnanswered(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, t.Settle)
	defer cancel()
	for _, call := range t.Unanswered {
		t.Note(time.Now(), fmt.Sprintf("%s had no answer and may still take effect: waiting for it, %s at most", call.Name, t.Settle))
		tookEffect := func(r emco.Reading) bool { return r.Ours || r.Progress == emco.Done }
		reading, err := t.await(limited, call, tookEffect)
		if err != nil {
			return err
		}
		if !tookEffect(reading) {
			t.Note(time.Now(), fmt.Sprintf("%s has not taken effect (last status: %s)", call.Name, describe(reading)))
		}
	}
	return nil
}

// finalStatePatience bounds the wait for the state of one existing resource.
const finalStatePatience = 30 * time.Second

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
