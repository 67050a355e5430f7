package report

import (
	"fmt"
	"iter"
	"maps"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// group is all runs of one test case, as the page's first table shows them.
type group struct {
	Summary
	Verdicts []count
	Down     string
	Strip    strip
}

// count is how many runs have a verdict, and the first of them.
type count struct {
	Verdict verdict.Verdict
	Runs    int
	First   int
}

// strip has a dot for each run that came back, where it took so long.
type strip struct {
	Dots []dot
	// Most is the end of its axis, in seconds, the same for all cases; and Without is how
	// many runs have no time.
	Most    float64
	Without int
}

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
	downs := make([][]float64, len(all))
	for i, r := range runs {
		n := at[Case(r.Plan)]
		all[n].count(r.Verdict, i+1)
		last, down, found := comeback(r)
		if !found {
			all[n].Strip.Without++
			continue
		}
		downs[n] = append(downs[n], down)
		all[n].Strip.add(last, r.Verdict)
		longest = max(longest, last)
	}
	for i := range all {
		all[i].Strip.Most = longest
		all[i].Down = "–"
		if len(downs[i]) > 0 {
			all[i].Down = spread(statistics.Median(downs[i]), statistics.P95(downs[i]))
		}
	}
	return all, longest
}

// comeback is how long the last recovery of a run took in all, and when it began.
func comeback(r Run) (took, down float64, found bool) {
	for _, recovery := range r.Recoveries() {
		for _, phase := range recovery.Phases {
			took = max(took, phase.Seconds)
		}
		down, found = recovery.Down, true
	}
	return took, down, found
}

func (g *group) count(v verdict.Verdict, run int) {
	for i := range g.Verdicts {
		if g.Verdicts[i].Verdict == v {
			g.Verdicts[i].Runs++
			return
		}
	}
	g.Verdicts = append(g.Verdicts, count{v, 1, run})
}

func (s *strip) add(seconds float64, v verdict.Verdict) {
	s.Dots = append(s.Dots, dot{seconds, v, 8 + 5*(len(s.Dots)%3)})
}

// X is where a dot is on the strip, in percent.
func (s strip) X(d dot) string { return percentOf(margin + (100-2*margin)*d.Seconds/max(s.Most, 1e-9)) }

// Label says what the strip shows.
func (s strip) Label() string {
	most := 0.0
	for _, dot := range s.Dots {
		most = max(most, dot.Seconds)
	}
	return fmt.Sprintf("%d times, the longest %.2f s", len(s.Dots), most)
}

// Words say what it does not show.
func (s strip) Words() string {
	if s.Without == 0 {
		return ""
	}
	return fmt.Sprintf("%d without a recovery", s.Without)
}

// Ready, Answers and Converged are the medians and 95th percentiles of a phase, one
// for each fault that stopped something.
func (g group) Ready() []string     { return g.phase(plan.Ready) }
func (g group) Answers() []string   { return g.phase(activity.Answers) }
func (g group) Converged() []string { return g.phase(activity.Converged) }

func (g group) phase(name string) []string {
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

func keys[V any](of map[string]V) iter.Seq[string] { return maps.Keys(of) }
