package probes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var edgeKind = Kind{
	Activity: with(following, question("edge", "waits until the objects on the edge are as a call must leave them, by the target's edge kubeconfig",
		callArgument("the call: all that the status lists must be on the edge, or none of it; of calls on a logical cloud it lists nothing"))),
	run: func(ctx context.Context, t task) Result {
		call := t.call
		if !strings.HasPrefix(call.StatusPath, "{dig}") || call.End != emco.Instantiated && call.End != emco.Terminated {
			return Result{Conclusion: Passed, Message: "EMCO lists no objects of " + call.Name + ", so there are none to look for on the edge"}
		}
		edge, err := openEdge(t.Setup.Kubeconfig)
		if err != nil {
			return errored(err)
		}
		defer edge.http.CloseIdleConnections()
		w := t.watchStatus(call)
		w.noun = "look"
		w.ask = func(ctx context.Context) sample { return t.lookAt(ctx, edge, call) }
		w.evidence = func(last sample) map[string]string {
			return map[string]string{"edge": edge.server, "objects": last.words}
		}
		for sample := range w.samples(ctx, pace{longest: longestInterval}) {
			switch {
			case sample.condition == edgeFits:
				return w.result(Passed, "%s after %s", sample.words, w.after())
			case sample.condition == edgeDiffers && t.Recheck:
				return w.result(Failed, "%s", sample.words)
			}
		}
		what := fmt.Sprintf("the edge was not as %s must leave it", call.Name)
		if w.last.condition != edgeDiffers {
			return w.unseen(what)
		}
		return w.unfinished(ctx, what)
	},
}

const edgeFits, edgeDiffers = "as it must be", "not as it must be"

// lookAt compares the edge with what EMCO's status lists: once the call is done all of it is there, or none.
func (t task) lookAt(ctx context.Context, edge *edge, call emco.Call) sample {
	seen := t.read(ctx, call)
	objects := seen.reading.Status.Objects
	if seen.err != nil || len(objects) == 0 {
		seen.words = "status lists no object: " + seen.words
		return seen
	}
	there, missing, err := edge.sort(ctx, objects, func(object emco.Object) string { return object.Kind + " " + object.Name })
	if err != nil {
		seen.words = "the edge gives no answer: " + err.Error()
		seen.note, seen.Outcome = seen.words, emco.Outcome{Kind: emco.Other} // not the status's: no answer
		return seen
	}
	wrong, words := missing, "missing on the edge: "
	if call.End == emco.Terminated {
		wrong, words = there, "still on the edge: "
	}
	seen.condition, seen.words = edgeDiffers, words+strings.Join(wrong, ", ")
	if len(wrong) == 0 {
		seen.condition = edgeFits
		seen.words = fmt.Sprintf("%d of %d objects are on the edge: %s", len(there), len(objects), strings.Join(slices.Concat(there, missing), ", "))
	}
	seen.note = seen.words
	return seen
}
