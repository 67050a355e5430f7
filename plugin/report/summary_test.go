package report_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// made is a run to be made up.
type made struct {
	experiment string
	control    bool
	parameters map[string]string
	attempts   int
	ends       verdict.Verdict
	// ready and converged are seconds from down, which late is the seconds that
	// ready may have been earlier.
	ready, converged, late float64
}

// journalOf is the journal of made-up runs.
func journalOf(t *testing.T, all ...made) string {
	t.Helper()
	var out bytes.Buffer
	for _, one := range all {
		p := &plan.Plan{
			Experiment: one.experiment, Title: "A kill", Target: "t", Parameters: one.parameters, Control: one.control,
			Steps: []plan.Step{
				{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Summary: "pod-kill a"}},
				{Name: "final", Activity: &plan.Activity{Name: "probe", Events: []string{"started", "passed"}, Ends: []string{"passed"}, Measures: "converged"}},
			},
			Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "kill", Event: plan.Down}}}},
		}
		start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		j := journal.New(&out)
		record := func(seconds float64, r journal.Record) {
			j.Add(start.Add(time.Duration(seconds*float64(time.Second))), r)
		}
		record(0, journal.Record{Kind: journal.Run, Run: "r", Plan: p, Version: "v1", Target: "abc"})
		for attempt := 1; attempt < one.attempts; attempt++ {
			record(0, journal.Record{Kind: journal.Attempt, Attempt: attempt})
		}
		record(0, journal.Record{Kind: journal.Attempt, Attempt: max(1, one.attempts)})
		if one.ends != verdict.Inconclusive {
			record(0, journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Down})
		}
		notBefore := start.Add(time.Duration((one.ready - one.late) * float64(time.Second))).Format(time.RFC3339Nano)
		record(one.ready, journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Ready, Detail: map[string]string{journal.NotBefore: notBefore}})
		conclusion := map[verdict.Verdict]string{verdict.Failed: "failed"}[one.ends]
		if conclusion == "" {
			conclusion = "passed"
		}
		record(one.converged, journal.Record{Kind: journal.Result, Step: "final", Conclusion: conclusion})
		if one.ends == verdict.Error {
			record(one.converged, journal.Record{Kind: journal.Trouble, Text: "the cluster is gone"})
		}
		record(one.converged, journal.Record{Kind: journal.Verdict, Verdict: string(one.ends)})
		record(one.converged, journal.Record{Kind: journal.End, Run: "r", Verdict: string(one.ends)})
	}
	return out.String()
}

func runsOf(t *testing.T, all ...made) []report.Run {
	t.Helper()
	records, err := journal.Read(strings.NewReader(journalOf(t, all...)))
	if err != nil {
		t.Fatal(err)
	}
	runs := report.Runs(records)
	for i, r := range runs {
		if r.Verdict != all[i].ends {
			t.Fatalf("run %d is %s (%s), want %s", i, r.Verdict, r.Reason, all[i].ends)
		}
	}
	return runs
}

// night has several test cases, every verdict, and a moment that is not sure.
func night() []made {
	var all []made
	for i := range 20 {
		seconds := 2 + float64(i)/10
		all = append(all, made{experiment: "kill", ends: verdict.Passed, ready: seconds, converged: seconds + 1})
	}
	return append(all,
		made{experiment: "kill", ends: verdict.Failed, ready: 9, converged: 60},
		made{experiment: "kill", ends: verdict.Passed, attempts: 3, ready: 7, converged: 8, late: 5},
		made{experiment: "kill", ends: verdict.Inconclusive, ready: 100, converged: 100},
		made{experiment: "kill", ends: verdict.Error, ready: 100, converged: 100},
		made{experiment: "kill", parameters: map[string]string{"delay": "1s"}, ends: verdict.Passed, ready: 3, converged: 4, late: 1.5},
		made{experiment: "kill", control: true, ends: verdict.Inconclusive},
	)
}

func TestSummaries(t *testing.T) {
	got := report.Summaries(runsOf(t, night()...))
	names := []string{}
	for _, s := range got {
		names = append(names, s.Case)
	}
	if want := []string{"kill", "kill[delay=1s]", "kill (control)"}; !slices.Equal(names, want) {
		t.Fatalf("the cases are %q, want %q", names, want)
	}
	// A parameter that all cases share is left out of the short name.
	two := report.Summaries(runsOf(t,
		made{experiment: "refused", parameters: map[string]string{"call": "a", "wait": "1s"}, ends: verdict.Inconclusive},
		made{experiment: "refused", parameters: map[string]string{"call": "b", "wait": "1s"}, ends: verdict.Inconclusive},
		made{experiment: "other", parameters: map[string]string{"call": "c"}, ends: verdict.Inconclusive}))
	if two[0].Name != "refused[call=a]" || two[1].Name != "refused[call=b]" || two[2].Name != "other" || two[0].Case != "refused[call=a, wait=1s]" {
		t.Errorf("the short names are %q, %q and %q", two[0].Name, two[1].Name, two[2].Name)
	}
	kill := got[0]
	if kill.Runs != 24 || kill.Tally.String() != "21 passed, 1 failed, 1 inconclusive, 1 errors" || kill.Tally.Conclusive() != 22 {
		t.Errorf("%d runs: %s", kill.Runs, kill.Tally)
	}
	if kill.AtFirst != 21 || kill.Attempts != 26 {
		t.Errorf("%d hits at the first attempt, %d attempts", kill.AtFirst, kill.Attempts)
	}
	shares := 0
	for _, share := range kill.Shares {
		shares += share.Runs
		if of := float64(share.Runs) / 24; share.Interval.Low > of || share.Interval.High < of {
			t.Errorf("the share of %s is in %v", share.Verdict, share.Interval)
		}
	}
	if shares != kill.Runs {
		t.Errorf("the verdicts are of %d runs", shares)
	}
	ready, converged := kill.Times[0], kill.Times[1]
	if ready.Name() != "kill ready" || ready.Runs != 21 || ready.Unsure != 1 || math.Abs(ready.Median-3) > 1e-9 || ready.Interval == nil {
		t.Errorf("ready is %+v", ready)
	}
	// The run that failed never converged.
	if converged.Name() != "kill converged" || converged.Runs != 21 || converged.Unsure != 0 || converged.P95 > 9 {
		t.Errorf("converged is %+v", converged)
	}
	if unsure := got[1].Times[0]; unsure.Runs != 0 || unsure.Unsure != 1 || unsure.Median != 0 {
		t.Errorf("what no run was sure of is %+v", unsure)
	}
}
