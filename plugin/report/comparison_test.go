package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// sample draws runs of one case that take a median of 2 s, and so much longer.
func sample(source *rand.Rand, runs int, longer float64) []made {
	var all []made
	for range runs {
		ready := 2 + longer + 0.3*source.NormFloat64()
		all = append(all, made{experiment: "kill", ends: verdict.Passed, ready: ready, converged: ready + 0.5 + source.ExpFloat64()/4})
	}
	return all
}

func ends(experiment string, all ...verdict.Verdict) []made {
	var runs []made
	for i, v := range all {
		runs = append(runs, made{experiment: experiment, ends: v, ready: 1 + float64(i)/1000, converged: 2 + float64(i)/1000})
	}
	return runs
}

func times(n int, v verdict.Verdict) []verdict.Verdict {
	all := make([]verdict.Verdict, n)
	for i := range all {
		all[i] = v
	}
	return all
}

func mix(failed, passed int) []verdict.Verdict {
	return append(times(failed, verdict.Failed), times(passed, verdict.Passed)...)
}

// tenth is a margin that the times of the tables keep.
var tenth = report.Margin{Share: 0.1, Least: 100 * time.Millisecond}

// TestChanges: what became of the failures, and what that is worth.
func TestChanges(t *testing.T) {
	for name, test := range map[string]struct {
		before, after []verdict.Verdict
		change        report.Change
		outcome       report.Outcome
		needs, code   int
	}{
		"never fails":                   {mix(0, 20), mix(0, 20), report.Same, report.NotWorse, 0, report.ExitPassed},
		"always fails":                  {mix(20, 0), mix(20, 0), report.Same, report.NotWorse, 0, report.ExitPassed},
		"fails now":                     {mix(0, 20), mix(20, 0), report.New, report.Worse, 0, report.ExitFailed},
		"fails half the time now":       {mix(0, 20), mix(10, 10), report.New, report.Worse, 0, report.ExitFailed},
		"fails twice of twenty now":     {mix(0, 20), mix(2, 18), report.New, report.TooLittle, 60, report.ExitInconclusive},
		"failed twice of twenty":        {mix(2, 18), mix(0, 20), report.Gone, report.NotWorse, 0, report.ExitPassed},
		"failed":                        {mix(20, 0), mix(0, 20), report.Gone, report.NotWorse, 0, report.ExitPassed},
		"fails once of twenty now":      {mix(0, 20), mix(1, 19), report.Rare, report.TooLittle, 120, report.ExitInconclusive},
		"failed once of twenty":         {mix(1, 19), mix(0, 20), report.Rare, report.NotWorse, 0, report.ExitPassed},
		"fails at times, as before":     {mix(4, 16), mix(5, 15), report.Rare, report.NotWorse, 0, report.ExitPassed},
		"fails at times, and far more":  {mix(4, 16), mix(18, 2), report.Rare, report.Worse, 0, report.ExitFailed},
		"one of each":                   {mix(0, 1), mix(1, 0), report.New, report.TooLittle, 4, report.ExitInconclusive},
		"nothing is said of it now":     {mix(0, 20), times(20, verdict.Inconclusive), report.Unknown, report.TooLittle, 4, report.ExitInconclusive},
		"nothing was said of it before": {times(20, verdict.Error), mix(0, 20), report.Unknown, report.TooLittle, 4, report.ExitInconclusive},
		"it is not there any more":      {mix(0, 20), nil, report.Unknown, report.TooLittle, 4, report.ExitInconclusive},
	} {
		t.Run(name, func(t *testing.T) {
			got := report.Compare(runsOf(t, ends("kill", test.before...)...), runsOf(t, ends("kill", test.after...)...), tenth, 0.05)
			one := got.Cases[0]
			if one.Change != test.change || one.Outcome != test.outcome || one.Needs != test.needs {
				t.Errorf("it is %s, %s, it takes %d runs", one.Change, one.Outcome, one.Needs)
			}
			all := func(t report.Tally) int { return t.Passed + t.Failed + t.Inconclusive + t.Errors }
			if all(one.Before) != len(test.before) || all(one.After) != len(test.after) {
				t.Errorf("runs were left out: %s, %s", one.Before, one.After)
			}
			if code := got.ExitCode(); code != test.code {
				t.Errorf("exit %d, want %d", code, test.code)
			}
		})
	}
	if code := report.Compare(nil, nil, tenth, 0.05).ExitCode(); code != report.ExitInconclusive {
		t.Errorf("of nothing the exit code is %d", code)
	}
}

// TestTimes: what became of the recovery, for a margin.
func TestTimes(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 3))
	before, same, slower := sample(source, 30, 0), sample(source, 30, 0), sample(source, 30, 0.6)
	for name, test := range map[string]struct {
		before, after []made
		margin        string
		outcome       report.Outcome
	}{
		"slower by more than a tenth":         {before, slower, "10%", report.Worse},
		"slower, by less than a second":       {before, slower, "1s", report.NotWorse},
		"faster":                              {slower, before, "0s", report.NotWorse},
		"the same, within a fifth":            {before, same, "20%", report.NotWorse},
		"the same, to the millisecond":        {before, same, "1ms", report.TooLittle},
		"slower, and three runs are no proof": {before[:3], slower[:3], "10%", report.TooLittle},
		"no shift at all, but room for one":   {before, before, "50ms", report.TooLittle},
		"one run":                             {before[:1], slower[:1], "10%", report.TooLittle},
	} {
		t.Run(name, func(t *testing.T) {
			margin, err := report.ParseMargin(test.margin)
			if err != nil {
				t.Fatal(err)
			}
			got := report.Compare(runsOf(t, test.before...), runsOf(t, test.after...), margin, 0.05)
			for _, one := range got.Cases[0].Times {
				if one.Outcome != test.outcome {
					t.Errorf("%s is %s", one.Phase, one.Tested)
				}
				if one.Outcome == report.TooLittle && one.Needs <= len(test.before) && one.Needs != 0 {
					t.Errorf("it takes %d runs, and has %d", one.Needs, len(test.before))
				}
			}
		})
	}
}

// TestTimesOfOneSide: a phase that one side never came to, or was never sure of.
func TestTimesOfOneSide(t *testing.T) {
	late := made{experiment: "kill", ends: verdict.Passed, ready: 9, converged: 10, late: 5}
	got := report.Compare(runsOf(t, ends("kill", mix(0, 6)...)...), runsOf(t, late, late, late, late, late, late), tenth, 0.05)
	ready := got.Cases[0].Times[0]
	if ready.Outcome != report.TooLittle || ready.Shift != nil || ready.After.Unsure != 6 || ready.P != nil {
		t.Errorf("what nobody was sure of is %+v", ready)
	}
	if converged := got.Cases[0].Times[1]; converged.Outcome != report.Worse || got.Tests != 1 {
		t.Errorf("of %d tests: %s", got.Tests, converged.Tested)
	}
}

// TestCompareSimulated: thirty runs against thirty, a hundred times. A shift is
// found, and none is found where there is none, as often as the level says.
func TestCompareSimulated(t *testing.T) {
	source := rand.New(rand.NewPCG(30, 100))
	margin := report.Margin{Least: 0}
	found := func(longer float64) int {
		count := 0
		for range 100 {
			got := report.Compare(runsOf(t, sample(source, 30, 0)...), runsOf(t, sample(source, 30, longer)...), margin, 0.05)
			if got.ExitCode() == report.ExitFailed {
				count++
			}
		}
		return count
	}
	if count := found(0.5); count < 95 {
		t.Errorf("a shift of 0.5 s is found in %d of 100 comparisons", count)
	}
	if count := found(0); count > 5 {
		t.Errorf("a shift that is not there is found in %d of 100 comparisons", count)
	}
}

// body is what a page has of its own.
func body(page []byte) []byte {
	if at := bytes.Index(page, []byte("<body>")); at >= 0 {
		return page[at:]
	}
	return page
}

func TestGoldenComparison(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 1))
	before := runsOf(t, append(append(sample(source, 30, 0), ends("refused", mix(0, 20)...)...), ends("a|b\x1b[2J", verdict.Passed, verdict.Error)...)...)
	after := runsOf(t, append(append(sample(source, 30, 0.6), ends("refused", mix(1, 19)...)...), ends("a|b\x1b[2J", verdict.Inconclusive)...)...)
	got := report.Compare(before, after, tenth, 0.05)
	for form, name := range map[string]string{"text": "comparison.txt", "markdown": "comparison.md", "html": "comparison.html"} {
		var out bytes.Buffer
		if err := report.Comparisons[form](&out, got); err != nil {
			t.Fatal(err)
		}
		golden(t, name, body(out.Bytes()))
	}
	var out bytes.Buffer
	var back report.Comparison
	if err := report.Comparisons["json"](&out, got); err != nil {
		t.Fatal(err)
	}
	err := json.Unmarshal(out.Bytes(), &back)
	if err != nil || back.ExitCode() != report.ExitFailed || len(back.Cases) != 3 || back.Cases[0].Times[0].Interval == nil {
		t.Errorf("JSON says %+v, %v", back, err)
	}
}

func TestParseMargin(t *testing.T) {
	for text, want := range map[string]string{
		"10%": "10 %, and 100ms at least", "0%": "100ms", "500ms": "500ms", "2.5%": "2.5 %, and 100ms at least",
		"": "", "10": "", "-1s": "", "-5%": "", "NaN%": "", "Inf%": "", "x%": "",
	} {
		got, err := report.ParseMargin(text)
		if err == nil && got.String() != want || err != nil && want != "" {
			t.Errorf("%q is %s, %v", text, got, err)
		}
		if err != nil && err.Error() != fmt.Sprintf("%q is no margin: write a share, such as 10%%, or a time, such as 500ms", text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
