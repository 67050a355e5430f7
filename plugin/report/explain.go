package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Explain writes one paragraph on a run: what was done, what the client saw,
// how long what was hit was down, what was done then, and what it says.
func Explain(out io.Writer, r Run) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s. ", r.Plan.Experiment, strings.TrimSuffix(clean(r.Plan.Title), "."))
	origin, since := r.origin()
	fmt.Fprintf(&b, "Times are from %s. ", since)
	down := map[string]time.Duration{}
	for _, record := range r.records {
		step, known := r.Plan.Find(record.Step)
		if !known || step.Name == plan.TeardownStep && (record.Kind != journal.Result || len(r.Plan.Touches) == 0) {
			continue
		}
		at := fmt.Sprintf("%+.3f s", (record.At - origin).Seconds())
		switch {
		case step.Name == plan.GivenStep && record.Kind == journal.Result:
			fmt.Fprintf(&b, "Given: %s. ", Words(r.Plan, record))
		case record.Kind == journal.Result:
			fmt.Fprintf(&b, "At %s, %s: %s. ", at, step.Name, strings.TrimSuffix(Words(r.Plan, record), "."))
		case record.Kind == journal.Event && step.Fault != nil:
			switch record.Event {
			case plan.Injected:
				fmt.Fprintf(&b, "At %s, %s was on. ", at, step.Fault.Summary)
			case plan.Down:
				down[step.Name] = record.At
			case plan.Ready:
				if from, seen := down[step.Name]; seen {
					fmt.Fprintf(&b, "At %s what %s had stopped was ready again, %.3f s after it was seen down. ", at, step.Fault.Summary, (record.At - from).Seconds())
				}
			case plan.Removed:
				fmt.Fprintf(&b, "At %s, %s was gone. ", at, step.Fault.Summary)
			}
		case record.Kind == journal.Skipped:
			fmt.Fprintf(&b, "%s was not started: %s. ", step.Name, clean(record.Text))
		}
	}
	held, total := 0, len(r.Plan.Evidence)
	for _, claim := range r.Claims() {
		if claim.Holds {
			held++
		}
	}
	fmt.Fprintf(&b, "Of %d pieces of evidence %d are there. ", total, held)
	fmt.Fprintf(&b, "Verdict: %s%s.", r.Verdict, meaning(r))
	if len(r.Left) > 0 {
		fmt.Fprintf(&b, " Left behind: %s.", clean(strings.Join(r.Left, "; ")))
	}
	b.WriteString("\n")
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func meaning(r Run) string {
	reason := clean(r.Reason)
	switch r.Verdict {
	case verdict.Passed:
		return ": the fault hit where it was aimed, and the system recovered as it promises"
	case verdict.Failed:
		return ": the fault hit where it was aimed, and the system did not recover as it promises: " + reason
	case verdict.Inconclusive:
		return ", which says nothing of the system: " + reason
	default:
		return ", which says nothing of the system: " + reason
	}
}
