package report

import (
	"slices"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Summary is what all runs of one test case say together.
type Summary struct {
	Case string `json:"case"`
	// Name is the case with only those parameters that tell it from the others.
	Name  string `json:"name"`
	Runs  int    `json:"runs"`
	Tally Tally  `json:"tally"`
	// Shares are those of all verdicts, of all runs: none is left out.
	Shares []Share `json:"shares"`
	// AtFirst is how many runs hit at the first attempt, and Attempts how many
	// attempts all runs needed.
	AtFirst  int `json:"hitsAtFirstAttempt"`
	Attempts int `json:"attempts"`
	// Times are those of the runs that Passed or Failed; others say nothing of the system.
	Times []Times `json:"times"`
}

// Share is how many of the runs have a verdict, and where their share lies.
type Share struct {
	Verdict  verdict.Verdict     `json:"verdict"`
	Runs     int                 `json:"runs"`
	Interval statistics.Interval `json:"interval"`
}

// Timed is what has times: one phase of the recovery from one fault.
type Timed struct {
	Step  string `json:"step"`
	Phase string `json:"phase"`
	Unit  string `json:"unit"`
}

// Name tells what has times in one test case apart.
func (t Timed) Name() string { return t.Step + " " + t.Phase }

// Times are how long it took, over the runs.
type Times struct {
	Timed
	// Seconds are the times, in the order of the runs. Runs are how many they are;
	// without any, Median and P95 are zero. Unsure are further ones whose moment is
	// not known well enough to be among them.
	Seconds  []float64            `json:"-"`
	Runs     int                  `json:"runs"`
	Unsure   int                  `json:"unsure"`
	Median   float64              `json:"median"`
	P95      float64              `json:"p95"`
	Interval *statistics.Interval `json:"interval"` // of the median; nil of too few
}

// Case names what a plan tests. An experiment with other parameters is another
// case, and so is one without a fault.
func Case(p *plan.Plan) string { return nameOf(p, p.Parameters) }

func nameOf(p *plan.Plan, parameters map[string]string) string {
	name := p.Experiment
	if len(parameters) > 0 {
		name += "[" + pairs(parameters, "=") + "]"
	}
	if p.Control {
		name += " (control)"
	}
	return name
}

// shortNames are names by cases, with only those parameters that another case of the
// same experiment has with another value.
func shortNames(runs []Run) map[string]string {
	plans := map[string]*plan.Plan{}
	for _, r := range runs {
		plans[Case(r.Plan)] = r.Plan
	}
	names := map[string]string{}
	for name, one := range plans {
		telling := map[string]string{}
		for _, other := range plans {
			for key, value := range one.Parameters {
				if other.Experiment == one.Experiment && other.Parameters[key] != value {
					telling[key] = value
				}
			}
		}
		names[name] = nameOf(one, telling)
	}
	return names
}

// Summaries are those of all test cases, in the order of their first runs.
func Summaries(runs []Run) []Summary {
	var summaries []Summary
	names := shortNames(runs)
	for _, r := range runs {
		name := Case(r.Plan)
		entry(&summaries, Summary{Case: name, Name: names[name], Times: []Times{}}, func(s Summary) bool { return s.Case == name }).add(r)
	}
	for i := range summaries {
		summaries[i].finish()
	}
	return summaries
}

// entry returns the one among all that is sought, and adds it when there is none.
func entry[T any](all *[]T, none T, sought func(T) bool) *T {
	at := slices.IndexFunc(*all, sought)
	if at < 0 {
		at, *all = len(*all), append(*all, none)
	}
	return &(*all)[at]
}

func (s *Summary) add(r Run) {
	s.Runs++
	s.Tally.Add(r.Verdict)
	s.Attempts += r.Attempt
	if r.Verdict != verdict.Passed && r.Verdict != verdict.Failed {
		return
	}
	if r.Attempt == 1 {
		s.AtFirst++
	}
	for _, recovery := range r.Recoveries() {
		for _, phase := range recovery.Phases {
			timed := Timed{recovery.Step, phase.Name, recovery.Unit}
			times := entry(&s.Times, Times{Timed: timed}, func(t Times) bool { return t.Timed == timed })
			if phase.Sure() {
				times.Seconds = append(times.Seconds, phase.Seconds)
			} else {
				times.Unsure++
			}
		}
	}
}

func (s *Summary) finish() {
	for _, v := range verdict.All() {
		runs := *s.Tally.of(v)
		s.Shares = append(s.Shares, Share{v, runs, statistics.Wilson(runs, s.Runs)})
	}
	for i := range s.Times {
		times := &s.Times[i]
		if times.Runs = len(times.Seconds); times.Runs > 0 {
			times.Median, times.P95 = statistics.Median(times.Seconds), statistics.P95(times.Seconds)
			times.Interval = statistics.Bootstrap(times.Seconds)
		}
	}
}
