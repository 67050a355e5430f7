package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// Explain draws the lanes of each run, and writes a paragraph on it: what was done,
// what the client saw, how long what was hit was down, what was done then, and the
// verdict.
func Explain(out io.Writer, runs ...Run) error {
	var b strings.Builder
	for _, r := range runs {
		explain(&b, r)
	}
	return write(out, b.String())
}

func explain(b *strings.Builder, r Run) {
	lanes(b, r)
	fmt.Fprintf(b, "%s: %s. ", clean(r.Plan.Experiment), strings.TrimSuffix(clean(r.Plan.Title), "."))
	for _, fact := range r.Facts() {
		fmt.Fprintf(b, "%s%s: %s. ", strings.ToUpper(fact.Name[:1]), fact.Name[1:], fact.Value)
	}
	fmt.Fprintf(b, "Times are from %s. ", clean(r.Origin.Name))
	down := map[string]journal.Record{}
	for _, record := range r.records {
		step, known := r.Plan.Find(record.Step)
		at := fmt.Sprintf("At %+.3f s", (record.At - r.Origin.At).Seconds())
		switch {
		case record.Kind == journal.Disturbance:
			fmt.Fprintf(b, "%s, %s. ", at, Words(r.Plan, record))
		case !known || !r.isFinding(step, record):
		case record.Kind == journal.Recheck:
			fmt.Fprintf(b, "%s, %s was %s. ", at, clean(step.Name), Words(r.Plan, record))
		case record.Kind == journal.Skipped:
			fmt.Fprintf(b, "%s was not started: %s. ", clean(step.Name), clean(record.Text))
		case step.Name == plan.GivenStep:
			fmt.Fprintf(b, "Given: %s. ", Words(r.Plan, record))
		case record.Kind == journal.Result:
			fmt.Fprintf(b, "%s, %s: %s. ", at, clean(step.Name), strings.TrimSuffix(Words(r.Plan, record), "."))
		case record.Event == plan.Injected:
			fmt.Fprintf(b, "%s, %s was on. ", at, clean(step.Fault.Summary))
		case record.Event == plan.Down:
			down[step.Name] = record
		case record.Event == plan.Ready:
			if from, seen := down[step.Name]; seen {
				fmt.Fprintf(b, "%s what %s had stopped was ready again (since down: %s). ", at, clean(step.Fault.Summary), span("ready", from, record))
			}
		case record.Event == plan.Removed:
			fmt.Fprintf(b, "%s, %s was gone. ", at, clean(step.Fault.Summary))
		}
	}
	held, claims := 0, r.Claims()
	for _, claim := range claims {
		if claim.Holds {
			held++
		}
	}
	if len(claims) > 0 {
		fmt.Fprintf(b, "Of %d pieces of evidence %d are there. ", len(claims), held)
	}
	fmt.Fprintf(b, "Verdict: %s%s.", r.Verdict, meaning(r))
	if len(r.Left) > 0 {
		fmt.Fprintf(b, " Left behind: %s.", clean(strings.Join(r.Left, "; ")))
	}
	b.WriteString("\n")
}
