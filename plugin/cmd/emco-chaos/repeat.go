package main

import (
	"fmt"
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
func (s *session) repeat(options *runOptions, plans []*plan.Plan, targetHash string) ([]*plan.Plan, []report.Run, error) {
	if options.journal == "" {
		options.journal = filepath.Join(options.journals, "repeat-"+run.NewName()+".jsonl")
	}
	// It is opened as one to add to: it may be no journal.
	file, err := s.openJournal(options.journal)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", options.journal, err)
	}
	known := report.Runs(records)
	for _, one := range known {
		if of := one.TargetHash(); of != "" && of != targetHash {
			return nil, nil, fmt.Errorf("%s has runs on another target (sha256 %s, this one is %s): name another file", options.journal, of, targetHash)
		}
	}
	rest, done := remaining(plans, options.times, known)
	s.tell(fmt.Sprintf("%d of %d runs are to be made; the journal is %s, and the same command with --journal %s goes on where this one ends",
		len(rest), options.times*len(plans), options.journal, options.journal))
	return rest, done, nil
}
