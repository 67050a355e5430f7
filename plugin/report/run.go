// Package report says what happened in a run, out of its journal alone.
package report

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Run is one run of a journal.
type Run struct {
	Name    string
	Plan    *plan.Plan
	Verdict verdict.Verdict
	Reason  string
	// Attempt is the attempt that the verdict is of, from 1.
	Attempt int
	// Left is what could not be cleaned up, and what may still happen.
	Left []string
	// Ended says that the journal goes on to the run's end. A run whose
	// process died has none.
	Ended bool

	// first and last are the times of the run's first and last record.
	first, last time.Duration
	// records are those of the attempt that the verdict is of, by time.
	records []journal.Record
}

// Runs are the runs of a journal, which may have several one after another.
func Runs(records []journal.Record) []Run {
	var runs []Run
	for len(records) > 0 {
		end := len(records)
		for i := 1; i < len(records); i++ {
			if records[i].Kind == journal.Run {
				end = i
				break
			}
		}
		if one, ok := newRun(records[:end]); ok {
			runs = append(runs, one)
		}
		records = records[end:]
	}
	return runs
}

func newRun(records []journal.Record) (Run, bool) {
	first := records[0]
	if first.Kind != journal.Run || first.Plan == nil {
		return Run{}, false
	}
	one := Run{first: first.At, last: records[len(records)-1].At, Name: first.Run, Plan: first.Plan, Verdict: verdict.Error, Reason: "the journal ends before the verdict"}
	for _, record := range records {
		switch record.Kind {
		case journal.Verdict:
			one.Verdict, one.Reason, one.Attempt = verdict.Verdict(record.Verdict), record.Text, record.Attempt
		case journal.Left:
			one.Left = append(one.Left, record.Text)
		case journal.End:
			one.Ended = true
		}
	}
	if attempts := journal.Attempts(records); len(attempts) > 0 {
		one.Attempt = len(attempts)
		one.records = slices.Clone(attempts[len(attempts)-1])
		slices.SortStableFunc(one.records, func(a, b journal.Record) int { return cmp.Compare(a.At, b.At) })
	}
	return one, true
}

func (r Run) took() time.Duration { return max(0, r.last-r.first) }

// origin is the moment that the report counts from, and its name: the start
// of the call under test, or of the attempt when it was never sent.
func (r Run) origin() (time.Duration, string) {
	for _, record := range r.records {
		if step, known := r.Plan.Find(record.Step); known && record.Kind == journal.Event && record.Event == plan.Started &&
			step.Activity != nil && step.Activity.Lasting && step.Expect != "" {
			return record.At, fmt.Sprintf("the start of %s (%s)", step.Name, step.Activity.Summary)
		}
	}
	if len(r.records) > 0 {
		return r.records[0].At, "the start of the attempt"
	}
	return 0, "the start of the run"
}

// Finding is one thing that the run found, in the order of time.
type Finding struct {
	// At is when, from the run's origin, in nanoseconds.
	At   time.Duration `json:"at"`
	Step string        `json:"step"`
	Text string        `json:"text"`
}

// Findings are what the client saw, when what a fault stopped was down and
// back, and what each probe answered. Of the teardown they tell when it leaves
// what existed before the run.
func (r Run) Findings() []Finding {
	origin, _ := r.origin()
	var findings []Finding
	for _, record := range r.records {
		step, known := r.Plan.Find(record.Step)
		if !known {
			continue
		}
		switch {
		case record.Kind == journal.Result && (step.Name != plan.TeardownStep || len(r.Plan.Touches) > 0),
			record.Kind == journal.Event && step.Fault != nil && record.Event != plan.Created:
			findings = append(findings, Finding{At: record.At - origin, Step: step.Name, Text: Words(r.Plan, record)})
		case record.Kind == journal.Skipped:
			findings = append(findings, Finding{At: record.At - origin, Step: step.Name, Text: Words(r.Plan, record)})
		}
	}
	return findings
}

// Claim is one claim of the plan's evidence, and whether it holds.
type Claim struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	// Missing says why it does not hold.
	Missing string `json:"missing,omitempty"`
}

// Claims are the plan's evidence against the journal.
func (r Run) Claims() []Claim {
	missing := verdict.Claims(r.Plan, r.records)
	claims := make([]Claim, len(r.Plan.Evidence))
	for i, claim := range r.Plan.Evidence {
		claims[i] = Claim{Text: claim.String(), Holds: missing[i] == "", Missing: missing[i]}
	}
	return claims
}
