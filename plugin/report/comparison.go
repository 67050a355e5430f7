package report

import (
	"math"
	"slices"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
)

// Comparison says what has changed between two sets of runs.
type Comparison struct {
	Level  float64      `json:"level"`
	Margin string       `json:"worse"`
	Tests  int          `json:"tests"` // that each is corrected for
	Cases  []CaseChange `json:"cases"`
}

// CaseChange is what has changed for one test case.
type CaseChange struct {
	Case   string `json:"case"`
	Name   string `json:"name"`
	Before Tally  `json:"before"`
	After  Tally  `json:"after"`
	Change Change `json:"change"`
	// Tested is the share of failures.
	Tested
	Times []TimesChange `json:"times"`
}

// TimesChange is what has changed for one phase of the recovery.
type TimesChange struct {
	Timed
	Before Times `json:"before"`
	After  Times `json:"after"`
	// Shift is by how much it takes longer, nil where one side has no time.
	Shift    *float64             `json:"shift"`
	Interval *statistics.Interval `json:"interval"`
	Tested
}

// Tested is what one comparison comes to.
type Tested struct {
	// P is how likely chance alone is to make as large a difference somewhere in all
	// comparisons: it is corrected. It is nil where nothing could be tested.
	P       *float64 `json:"p"`
	Outcome Outcome  `json:"outcome"`
	// Needs is about how many runs on each side it takes to tell; zero where no number
	// is known.
	Needs int `json:"needs,omitempty"`
}

// Outcome says whether something has become worse by more than the margin.
type Outcome string

// The outcomes.
const (
	Worse     Outcome = "worse"
	NotWorse  Outcome = "not worse"
	TooLittle Outcome = "too little to tell"
)

// Change is what has become of the failures of a test case.
type Change string

// The changes. A case that fails in fewer than one of ten runs fails rarely.
const (
	New     Change = "New"     // it fails now, and never did
	Gone    Change = "Gone"    // it failed, and does not now
	Rare    Change = "Rare"    // it fails rarely on one side, or at times on both
	Same    Change = "Same"    // it always passes, or always fails, on both sides
	Unknown Change = "Unknown" // one side has no run that Passed or Failed
)

// changeOf looks at the runs that say something of the system.
func changeOf(before, after Tally) Change {
	rare := func(t Tally) bool { return 10*t.Failed < t.Conclusive() }
	switch {
	case before.Conclusive() == 0 || after.Conclusive() == 0:
		return Unknown
	case before.Failed == 0 && after.Failed == 0, before.Passed == 0 && after.Passed == 0:
		return Same
	case before.Failed == 0 && !rare(after):
		return New
	case after.Failed == 0 && !rare(before):
		return Gone
	}
	return Rare
}

// Compare compares two sets of runs. A time is worse that has grown by more than the
// margin, and a share of failures that has grown, when all tests together find that
// by chance alone no more often than the level says.
func Compare(before, after []Run, margin Margin, level float64) Comparison {
	c := Comparison{Level: level, Margin: margin.String(), Cases: cases(before, after)}
	var tested []*float64
	for i := range c.Cases {
		one := &c.Cases[i]
		one.test()
		tested = append(tested, one.P)
		for k := range one.Times {
			one.Times[k].test()
			tested = append(tested, one.Times[k].P)
		}
	}
	tested = slices.DeleteFunc(tested, func(p *float64) bool { return p == nil })
	c.Tests = len(tested)
	statistics.Holm(tested)
	for i := range c.Cases {
		one := &c.Cases[i]
		one.judge(level, c.Tests)
		for k := range one.Times {
			times := &one.Times[k]
			if one.Change == Gone && times.Before.Runs+times.Before.Unsure == 0 {
				times.Outcome = NotWorse // It never came to this before, and does now.
				continue
			}
			times.judge(margin.of(times.Before.Median), level, c.Tests)
		}
	}
	return c
}

// cases pairs what both sides have of each test case.
func cases(before, after []Run) []CaseChange {
	names, all := shortNames(slices.Concat(before, after)), []CaseChange{}
	of := func(s Summary) *CaseChange {
		none := CaseChange{Case: s.Case, Name: names[s.Case], Times: []TimesChange{}}
		return entry(&all, none, func(c CaseChange) bool { return c.Case == s.Case })
	}
	for _, s := range Summaries(before) {
		one := of(s)
		one.Before = s.Tally
		for _, t := range s.Times {
			one.times(t).Before = t
		}
	}
	for _, s := range Summaries(after) {
		one := of(s)
		one.After = s.Tally
		for _, t := range s.Times {
			one.times(t).After = t
		}
	}
	return all
}

// times returns the entry of a phase.
func (c *CaseChange) times(of Times) *TimesChange {
	return entry(&c.Times, TimesChange{Timed: of.Timed}, func(t TimesChange) bool { return t.Timed == of.Timed })
}

// test tests whether the share of failures has grown, if there is something to test:
// runs on both sides, which do not all end alike.
func (c *CaseChange) test() {
	if c.Change = changeOf(c.Before, c.After); c.Change != Unknown && c.Change != Same {
		c.P = new(c.grown(1))
	}
}

// grown tests whether the share of failures has grown, as if there were so many
// times the runs.
func (c *CaseChange) grown(fold int) float64 {
	b, a := c.Before, c.After
	return statistics.Fisher(fold*b.Failed, fold*b.Conclusive(), fold*a.Failed, fold*a.Conclusive())
}

func (c *CaseChange) judge(level float64, tests int) {
	switch {
	case c.Change == Unknown:
		c.Outcome, c.Needs = TooLittle, fewest(level, tests)
	case c.P != nil && *c.P <= level:
		c.Outcome = Worse
	case c.Before.Failed == 0 && c.After.Failed > 0:
		c.Outcome = TooLittle
		runs := max(c.Before.Passed, c.After.Conclusive())
		for fold := 2; fold*runs <= most; fold++ {
			if c.grown(fold)*float64(tests) <= level {
				c.Needs = fold * runs
				break
			}
		}
	default:
		c.Outcome = NotWorse
	}
}

func (t *TimesChange) test() {
	if t.Before.Runs > 0 && t.After.Runs > 0 {
		shift, interval := statistics.Shift(t.Before.Seconds, t.After.Seconds)
		t.Shift, t.Interval = &shift, interval
		t.P = new(statistics.MannWhitney(t.Before.Seconds, t.After.Seconds))
	}
}

// judge takes a time for not worse only when the interval says so: that nothing was
// found in few runs says nothing.
func (t *TimesChange) judge(margin, level float64, tests int) {
	switch {
	case t.Shift == nil || t.Interval == nil:
		t.Outcome, t.Needs = TooLittle, fewest(level, tests)
	case *t.Shift > margin && *t.P <= level:
		t.Outcome = Worse
	case t.Interval.High <= margin:
		t.Outcome = NotWorse
	default:
		// An interval is as narrow as the root of the runs is large: its end must come
		// to the margin, or to zero for a shift that is above the margin.
		t.Outcome = TooLittle
		reach, far := t.Interval.High-*t.Shift, margin-*t.Shift
		if far < 0 {
			reach, far = *t.Shift-t.Interval.Low, *t.Shift
		}
		now := max(t.Before.Runs, t.After.Runs)
		if runs := float64(now) * reach / far * reach / far; runs <= most {
			t.Needs = max(now+1, int(math.Ceil(runs)), fewest(level, tests))
		}
	}
}

// most is beyond what runs are counted for.
const most = 1000

// fewest is how many runs on each side it takes to find anything, and an interval.
func fewest(level float64, tests int) int {
	runs := 2
	for runs < most && statistics.Surest(runs, runs) > min(level/float64(max(1, tests)), 0.05) {
		runs++
	}
	return runs
}

// Outcomes counts the outcomes of all comparisons.
func (c Comparison) Outcomes() map[Outcome]int {
	count := map[Outcome]int{}
	for _, one := range c.Cases {
		count[one.Outcome]++
		for _, times := range one.Times {
			count[times.Outcome]++
		}
	}
	return count
}

// ExitCode lets nothing pass that is worse, or of which too little is known.
func (c Comparison) ExitCode() int {
	switch count := c.Outcomes(); {
	case count[Worse] > 0:
		return ExitFailed
	case count[TooLittle] > 0 || len(c.Cases) == 0:
		return ExitInconclusive
	}
	return ExitPassed
}
