package e2e

import (
	"os"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// allPassed is the last line of a run of all experiments.
const allPassed = "19 passed, 0 failed, 0 inconclusive, 0 errors"

// TestAll runs all experiments from a command line, with real kills of real
// pods, and looks for the evidence in the journals.
func TestAll(t *testing.T) {
	s := here(t)
	file := artefact(t, "all.jsonl")
	output, code := s.chaos(t, "run", "--all", "--target", s.target, "--journal", file)
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if last := lines[len(lines)-1]; code != 0 || last != allPassed {
		t.Errorf("exit code %d, %q", code, last)
	}
	s.evident(t, file, len(experiments.Names()))
	s.clean(t)
}

// evident checks that the journal has so many runs, and that each was passed
// with all its evidence.
func (s *site) evident(t *testing.T, file string, count int) {
	t.Helper()
	records := readJournal(t, file)
	runs := report.Runs(records)
	if len(runs) != count {
		t.Errorf("the journal has %d runs, not %d", len(runs), count)
	}
	for _, run := range runs {
		if run.Verdict != verdict.Passed || !run.Ended || len(run.Left) > 0 {
			t.Errorf("%s: %s: %s, left %v", run.Plan.Experiment, run.Verdict, run.Reason, run.Left)
		}
	}
	// The tests' own look at the evidence, over the events as they stand
	// there.
	for _, records := range byRun(records) {
		attempts := journal.Split(records, journal.Attempt)
		plan := records[0].Plan
		if len(plan.Evidence) == 0 {
			t.Errorf("%s has no evidence", plan.Experiment)
		}
		for _, claim := range verdict.Read(plan, attempts[len(attempts)-1]).Claims() {
			if !claim.Holds {
				t.Errorf("%s: %s: %s", plan.Experiment, claim.Text, claim.Missing)
			}
		}
	}
}

func readJournal(t *testing.T, file string) []journal.Record {
	t.Helper()
	open, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	records, err := journal.Read(open)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// byRun splits the records of a journal into those of each run.
func byRun(records []journal.Record) [][]journal.Record {
	var runs [][]journal.Record
	for _, record := range records {
		if record.Kind == journal.Run {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], record)
	}
	return runs
}
