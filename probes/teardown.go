package probes

import (
	"cmp"
	"context"
	"errors"
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
	r := &removal{task: t, began: time.Now(), own: true}
	err := r.attempt(ctx, t.Names)
	if len(r.left) == 0 && err == nil {
		t.Note(time.Now(), r.edge(ctx))
	}
	return r.result("", err)
}

// edgePatience is how long an object may stay on the edge that EMCO has let go of.
const edgePatience = 10 * time.Second

// edge looks for what EMCO has forgotten: objects of the attempt that are still on the edge. It says what it saw.
func (r *removal) edge(ctx context.Context) string {
	edge, err := openEdge(r.Setup.Kubeconfig)
	if err != nil {
		return "the edge is not looked at: " + err.Error()
	}
	defer edge.http.CloseIdleConnections()
	var there []string
	look := func(ctx context.Context) (err error) {
		there, _, err = r.onEdge(ctx, edge, r.Names.Groups()...)
		return err
	}
	for err = range poll(ctx, r.Setup.pace(pace{patience: cmp.Or(r.Setup.patience, edgePatience), longest: longestInterval}), look) {
		if err != nil {
			return "the edge gives no answer: " + err.Error()
		}
		if len(there) == 0 {
			return "nothing of the attempt is on the edge"
		}
	}
	for _, object := range there {
		r.leave(Resource{Anchor: "edge " + object, State: Left, Reason: "EMCO has nothing of it any more; delete it on the edge cluster"})
	}
	return "still on the edge: " + strings.Join(there, ", ")
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
		if l.group > 1 || !t.Names.Chose(l.word) {
			continue
		}
		state, err := t.finalState(ctx, l)
		if err != nil {
			result.Conclusion, state = Errored, "in a state that is not known: "+err.Error()
		}
		result.Evidence[string(l.kind)] = state
		states = append(states, t.Names.Anchor(l.word)+" "+state)
	}
	result.Message = "nothing was removed; left as they are: " + strings.Join(states, ", ")
	return result
}

func (t task) finalState(ctx context.Context, l lifecycle) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, finalStatePatience)
	defer cancel()
	if answer := t.get(ctx, t.Names.Anchor(l.word)); answer.err == nil && answer.Missing() {
		return string(emco.Absent), nil
	}
	reading, err := t.await(ctx, l.instantiate, func(r emco.Reading) bool { return r.Progress != emco.Unknown })
	if err == nil && reading.Progress == emco.Unknown {
		err = errors.New(reading.Text)
	}
	return describe(reading), err
}
