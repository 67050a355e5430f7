// Package report writes what happened in a run, from its journal alone: one file
// a format, and the words that all of them use in one place.
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
	// History is that of the attempt that the verdict is of. Reports count from its origin.
	verdict.History

	Name    string
	Plan    *plan.Plan
	Verdict verdict.Verdict
	Reason  string
	// Attempt is the number of that attempt, from 1.
	Attempt int
	// Left is what could not be cleaned up, and what may still happen.
	Left []string
	// Ended: the journal has the run's end.
	Ended bool

	// first is the run's first record, and took is how long it took.
	first journal.Record
	took  time.Duration
	// records are those of that attempt, by time.
	records []journal.Record
}

// TargetHash is a hash of the run's target; empty when the journal does not have it.
func (r Run) TargetHash() string { return r.first.Target }

// unknown is the plan of a run whose first line cannot be read.
var unknown = &plan.Plan{Experiment: "unknown", Title: "A run whose beginning the journal does not have", Target: "unknown"}

// Runs are the runs of a journal, which may have several one after another. Of
// records that belong to no run that has begun one of its own is made; a journal
// without any run has none.
func Runs(records []journal.Record) []Run {
	var runs []Run
	begun := slices.IndexFunc(records, func(r journal.Record) bool { return r.Kind == journal.Run })
	if begun > 0 {
		runs = append(runs, newRun(unknown, records[:begun]))
	}
	for _, part := range journal.Split(records, journal.Run) {
		// Only a verdict that could not be written follows the end.
		ended := 1 + slices.IndexFunc(part, func(r journal.Record) bool { return r.Kind == journal.End })
		rest := slices.IndexFunc(part[ended:], func(r journal.Record) bool { return r.Kind == journal.Broken || r.Kind == journal.Attempt })
		if ended == 0 || rest < 0 {
			runs = append(runs, newRun(cmp.Or(part[0].Plan, unknown), part))
			continue
		}
		runs = append(runs, newRun(cmp.Or(part[0].Plan, unknown), part[:ended+rest]), newRun(unknown, part[ended+rest:]))
	}
	return runs
}

func newRun(p *plan.Plan, records []journal.Record) Run {
	one := Run{Name: records[0].Run, Plan: p, first: records[0], took: max(0, records[len(records)-1].At-records[0].At)}
	var claimed *journal.Record
	broken := ""
	for _, record := range records {
		switch record.Kind {
		case journal.Attempt:
			claimed = nil
		case journal.Verdict:
			claimed = &record
		case journal.Left:
			one.Left = append(one.Left, record.Text)
		case journal.Broken:
			broken = cmp.Or(broken, record.Text)
		case journal.End:
			one.Ended = true
		}
	}
	if attempts := journal.Split(records, journal.Attempt); len(attempts) > 0 {
		one.Attempt = len(attempts)
		one.records = slices.Clone(attempts[len(attempts)-1])
		slices.SortStableFunc(one.records, func(a, b journal.Record) int { return cmp.Compare(a.At, b.At) })
	}
	one.History = verdict.Read(one.Plan, one.records)
	one.judge(claimed, broken)
	if !one.Ended {
		one.Left = append(one.Left, "the journal ends in the middle of the run, which is not cleaned up: run `emco-chaos clean`")
	}
	return one
}

// judge takes the verdict from the events; the line that claims one is compared.
func (r *Run) judge(claimed *journal.Record, broken string) {
	judged := r.Judge()
	r.Verdict, r.Reason = judged.Verdict, judged.Reason
	switch {
	case broken != "":
		r.Verdict, r.Reason = verdict.Error, "the journal of this run is damaged: "+broken
	case claimed == nil:
		r.Verdict, r.Reason = verdict.Error, "the journal ends before the verdict"
	case claimed.Verdict != string(judged.Verdict):
		r.Reason = fmt.Sprintf("the journal claims %s, and its events say %s", claimed.Verdict, colon(string(judged.Verdict), judged.Reason))
		if judged.Verdict == verdict.Passed {
			r.Verdict = verdict.Error
		}
	}
}

// Finding is one thing that the run found, in the order of time.
type Finding struct {
	// At is when, from the run's origin, in nanoseconds.
	At   time.Duration `json:"at"`
	Step string        `json:"step"`
	Text string        `json:"text"`
	// NotBefore is the earliest that it can have been, in the same way, where At
	// is when it was seen; and Told is the system's own time of it.
	NotBefore *time.Duration `json:"notBefore,omitempty"`
	Told      string         `json:"told,omitempty"`
}

// Findings are what the client saw, when what a fault stopped was down and
// back, and what each probe answered.
func (r Run) Findings() []Finding {
	var findings []Finding
	for _, record := range r.records {
		step, known := r.Plan.Find(record.Step)
		if known && r.isFinding(step, record) || record.Kind == journal.Disturbance {
			finding := Finding{At: record.At - r.Origin.At, Step: step.Name, Text: Words(r.Plan, record), Told: record.Detail[journal.Told]}
			if late := slack(record); late > 0 {
				finding.NotBefore = new(finding.At - late)
			}
			findings = append(findings, finding)
		}
	}
	return findings
}

// isFinding reports whether a record of a step is a finding. The teardown's result
// is one when the run worked on what existed before.
func (r Run) isFinding(step plan.Step, record journal.Record) bool {
	switch record.Kind {
	case journal.Result:
		return step.Name != plan.TeardownStep || len(r.Plan.BlastRadius) > 0
	case journal.Event:
		return step.Fault != nil && record.Event != plan.Created
	}
	return record.Kind == journal.Skipped || record.Kind == journal.Recheck
}
