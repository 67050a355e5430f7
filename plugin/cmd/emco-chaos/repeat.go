package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// remaining are the plans that are still to be run until each has been run a number
// of times, in rounds, so that what changes with the hour meets all alike. Runs that
// are known count by test case, unless they ended in Error; done are those.
func remaining(plans []*plan.Plan, times int, known []report.Run) (rest []*plan.Plan, done []report.Run) {
	has := map[string]int{}
	for _, one := range plans {
		has[report.Case(one)] = 0
	}
	for _, one := range known {
		name := report.Case(one.Plan)
		if _, chosen := has[name]; chosen && one.Verdict != verdict.Error {
			has[name]++
			done = append(done, one)
		}
	}
	for range times {
		for _, one := range plans {
			if name := report.Case(one); has[name] > 0 {
				has[name]--
			} else {
				rest = append(rest, one)
			}
		}
	}
	return rest, done
}

// repeat goes on with the runs of the journal, which is that of all of them.
func (o *runOptions) repeat(plans []*plan.Plan, plugin *run.Plugin, tell func(string)) ([]*plan.Plan, []report.Run, error) {
	if o.journal == "" {
		o.journal = filepath.Join(o.journals, "repeat-"+run.NewName()+".jsonl")
	}
	if err := os.MkdirAll(filepath.Dir(o.journal), 0o755); err != nil {
		return nil, nil, fmt.Errorf("make the folder for the journal: %w", err)
	}
	// It is opened as one to add to: it may be no journal.
	file, err := o.open("", "", tell)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", o.journal, err)
	}
	known := report.Runs(records)
	for _, one := range known {
		if of := one.TargetHash(); of != "" && of != plugin.TargetHash() {
			return nil, nil, fmt.Errorf("%s has runs on another target (sha256 %s, this one is %s): name another file", o.journal, of, plugin.TargetHash())
		}
	}
	rest, done := remaining(plans, o.times, known)
	tell(fmt.Sprintf("%d of %d runs are to be made; the journal is %s, and the same command with --journal %s goes on where this one ends",
		len(rest), o.times*len(plans), o.journal, o.journal))
	return rest, done, nil
}
