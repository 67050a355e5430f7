package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// TestRemaining: what a journal has of an experiment is not run again.
func TestRemaining(t *testing.T) {
	a, b := &plan.Plan{Experiment: "a"}, &plan.Plan{Experiment: "b", Parameters: map[string]string{"delay": "1s"}}
	other := &plan.Plan{Experiment: "b", Parameters: map[string]string{"delay": "2s"}}
	of := func(v verdict.Verdict, plans ...*plan.Plan) []report.Run {
		var runs []report.Run
		for _, one := range plans {
			runs = append(runs, report.Run{Plan: one, Verdict: v})
		}
		return runs
	}
	counted := slices.Concat(of(verdict.Failed, a), of(verdict.Inconclusive, b), of(verdict.Error, a, b))
	for name, test := range map[string]struct {
		known []report.Run
		times int
		rest  string
		done  string
	}{
		"nothing is known":               {nil, 2, "a b a b", "0 passed, 0 failed, 0 inconclusive, 0 errors"},
		"one and a half rounds":          {of(verdict.Passed, a, b, a), 3, "b a b", "3 passed, 0 failed, 0 inconclusive, 0 errors"},
		"all verdicts count but Error":   {counted, 2, "a b", "0 passed, 1 failed, 1 inconclusive, 0 errors"},
		"other parameters, another case": {of(verdict.Passed, other, other), 1, "a b", "0 passed, 0 failed, 0 inconclusive, 0 errors"},
		"there are more already":         {of(verdict.Passed, a, a, a, b), 2, "b", "4 passed, 0 failed, 0 inconclusive, 0 errors"},
		"everything is there":            {of(verdict.Passed, a, b), 1, "", "2 passed, 0 failed, 0 inconclusive, 0 errors"},
	} {
		t.Run(name, func(t *testing.T) {
			rest, done := remaining([]*plan.Plan{a, b}, test.times, test.known)
			var tally report.Tally
			for _, one := range done {
				tally.Add(one.Verdict)
			}
			var names []string
			for _, one := range rest {
				names = append(names, one.Experiment)
			}
			if got := strings.Join(names, " "); got != test.rest || tally.String() != test.done {
				t.Errorf("to run are %q, done are %s", got, tally)
			}
		})
	}
}
