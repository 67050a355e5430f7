package report

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// group is all runs of one test case, as the page's first table shows them.
type group struct {
	Summary
	Verdicts []count
	downs    []float64 // when the last fault of each run that came back had stopped something
	// Dots are the runs that came back, Longest of them is how long that took at most,
	// in seconds, and Without is how many did not.
	Dots    []dot
	Longest float64
	Without int
}

// count is how many runs have a verdict, and the first of them.
type count struct {
	Verdict verdict.Verdict
	Runs    int
	First   int
}

// dot is a run on a strip, where it took so long.
type dot struct {
	Seconds float64
	Verdict verdict.Verdict
	// Row spreads dots over the height, so that they hide one another less.
	Row int
}

// groups are the test cases of the runs, and longest is the longest recovery of all.
func groups(runs []Run) (all []group, longest float64) {
	at := map[string]int{}
	for _, s := range Summaries(runs) {
		at[s.Case], all = len(all), append(all, group{Summary: s})
	}
	for i, r := range runs {
		one := &all[at[Case(r.Plan)]]
		entry(&one.Verdicts, count{r.Verdict, 0, i + 1}, func(c count) bool { return c.Verdict == r.Verdict }).Runs++
		recoveries := r.Recoveries()
		if len(recoveries) == 0 {
			one.Without++
			continue
		}
		one.downs = append(one.downs, recoveries[len(recoveries)-1].Down)
		took := 0.0
		for _, recovery := range recoveries {
			for _, phase := range recovery.Phases {
				took = max(took, phase.Seconds)
			}
		}
		one.Dots = append(one.Dots, dot{took, r.Verdict, 8 + 5*(len(one.Dots)%3)})
		one.Longest = max(one.Longest, took)
		longest = max(longest, took)
	}
	return all, longest
}

// Down is the median and 95th percentile of when the runs were down.
func (g group) Down() string {
	if len(g.downs) == 0 {
		return "–"
	}
	return spread(statistics.Median(g.downs), statistics.P95(g.downs))
}

// X is where a dot is on a strip that ends with the longest recovery, in percent.
func (d dot) X(longest float64) string {
	return percentOf(margin + (100-2*margin)*d.Seconds/max(longest, 1e-9))
}

// Phase are the medians and 95th percentiles of a phase, one for each fault that
// stopped something.
func (g group) Phase(name string) []string {
	var texts []string
	for _, times := range g.Times {
		if times.Phase == name && times.Runs > 0 {
			texts = append(texts, spread(times.Median, times.P95))
		}
	}
	if len(texts) == 0 {
		return []string{"–"}
	}
	return texts
}

func spread(median, p95 float64) string { return fmt.Sprintf("%.2f / %.2f", median, p95) }
