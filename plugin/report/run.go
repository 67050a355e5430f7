// Package report writes what happened in a run, from its journal alone: one file
// a format, and the words that all of them use in one place.
package report

import (
	"cmp"
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
	// Ended: the journal has the run's end.
	Ended bool

	// first and last are the times of the run's first and last record.
	first, last time.Duration
	// origin is the moment that the report counts from.
	origin verdict.Origin
	// records are those of the attempt that the verdict is of, by time.
	records []journal.Record
}

// Runs are the runs of a journal, which may have several one after another.
func Runs(records []journal.Record) []Run {
	var runs []Run
	for _, part := range journal.Split(records, journal.Run) {
		if part[0].Plan != nil {
			runs = append(runs, newRun(part))
		}
	}
	return runs
}

func newRun(records []journal.Record) Run {
	first, last := records[0], records[len(records)-1]
	one := Run{
		Name: first.Run, Plan: first.Plan, first: first.At, last: last.At,
		Verdict: verdict.Error, Reason: "the journal ends before the verdict",
	}
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
	if attempts := journal.Split(records, journal.Attempt); len(attempts) > 0 {
		one.Attempt = len(attempts)
		one.records = slices.Clone(attempts[len(attempts)-1])
		slices.SortStableFunc(one.records, func(a, b journal.Record) int { return cmp.Compare(a.At, b.At) })
	}
	one.origin = verdict.OriginOf(one.Plan, one.records)
	return one
}

func (r Run) took() time.Duration { return max(0, r.last-r.first) }

// Finding is one thing that the run found, in the order of time.
type Finding struct {
	// At is when, from the run's origin, in nanoseconds.
	At   time.Duration `json:"at"`
	Step string        `json:"step"`
	Text string        `json:"text"`
}

// Findings are what the client saw, when what a fault stopped was down and
// back, and what each probe answered.
func (r Run) Findings() []Finding {
	var findings []Finding
	for _, record := range r.records {
		if step, known := r.Plan.Find(record.Step); known && r.isFinding(step, record) {
			findings = append(findings, Finding{At: record.At - r.origin.At, Step: step.Name, Text: Words(r.Plan, record)})
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
	return record.Kind == journal.Skipped
}

// Claims are the plan's evidence against the journal.
func (r Run) Claims() []verdict.Claim { return verdict.Claims(r.Plan, r.records) }
