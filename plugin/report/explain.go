package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Explain draws the lanes of each run, and writes a paragraph on it: what was done,
// what the client saw, how long what was hit was down, what was done then, and the
// verdict.
func Explain(out io.Writer, runs ...Run) error { return fill(out, "explain.gotmpl", runs) }

// told are sentences of what happened, without their ends.
func (r Run) told() (sentences []string) {
	down := map[string]journal.Record{}
	for _, record := range r.records {
		step, known := r.Plan.Find(record.Step)
		at := fmt.Sprintf("At %+.3f s", (record.At - r.Origin.At).Seconds())
		tell := func(format string, values ...any) { sentences = append(sentences, fmt.Sprintf(format, values...)) }
		switch {
		case record.Kind == journal.Disturbance:
			tell("%s, %s", at, Words(r.Plan, record))
		case !known || !r.isFinding(step, record):
		case record.Kind == journal.Recheck:
			tell("%s, %s was %s", at, clean(step.Name), Words(r.Plan, record))
		case record.Kind == journal.Skipped:
			tell("%s was not started: %s", clean(step.Name), clean(record.Text))
		case step.Name == plan.GivenStep:
			tell("Given: %s", Words(r.Plan, record))
		case record.Kind == journal.Result:
			tell("%s, %s: %s", at, clean(step.Name), strings.TrimSuffix(Words(r.Plan, record), "."))
		case record.Event == plan.Injected:
			tell("%s, %s was on", at, clean(step.Fault.Summary))
		case record.Event == plan.Down:
			down[step.Name] = record
		case record.Event == plan.Ready:
			if from, seen := down[step.Name]; seen {
				tell("%s what %s had stopped was ready again (since down: %s)", at, clean(step.Fault.Summary), span("ready", from, record))
			}
		case record.Event == plan.Removed:
			tell("%s, %s was gone", at, clean(step.Fault.Summary))
		}
	}
	return sentences
}

// held counts the claims that hold.
func held(claims []verdict.Claim) (count int) {
	for _, claim := range claims {
		if claim.Holds {
			count++
		}
	}
	return count
}
