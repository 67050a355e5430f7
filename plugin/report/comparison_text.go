package report

import (
	"fmt"
	"io"
)

// Comparisons are the formats of a comparison, by the names that a user gives them.
var Comparisons = map[string]func(io.Writer, Comparison) error{
	"text":     func(out io.Writer, c Comparison) error { return c.sheet().text(out) },
	"json":     func(out io.Writer, c Comparison) error { return jsonLines(out, c) },
	"markdown": func(out io.Writer, c Comparison) error { return c.sheet().markdown(out) },
	"html":     func(out io.Writer, c Comparison) error { return c.sheet().html(out) },
}

// sheet has a table with a row for each case, and one with a row for each of its times.
func (c Comparison) sheet() sheet {
	verdicts := table{Title: "Verdicts", Head: []string{"case", "before", "after", "change", "p", "failures"}}
	times := table{
		Title: "Recovery since down, in seconds, of the runs that Passed or Failed",
		Head:  []string{"case", "phase", "runs", "unsure", "median before", "median after", "shift", "its 95 % interval", "p", "times"},
	}
	for _, one := range c.Cases {
		verdicts.row(one.Name, one.Before.String(), one.After.String(), string(one.Change), one.chance(), one.Tested.String())
		for _, t := range one.Times {
			shift := "-"
			if t.Shift != nil {
				shift = fmt.Sprintf("%+.3f", *t.Shift)
			}
			times.row(
				one.Name, t.Name(), fmt.Sprintf("%d, %d", t.Before.Runs, t.After.Runs), fmt.Sprintf("%d, %d", t.Before.Unsure, t.After.Unsure),
				t.Before.known(t.Before.Median), t.After.known(t.After.Median), shift, between(t.Interval), t.chance(), t.Tested.String(),
			)
		}
	}
	count := c.Outcomes()
	return sheet{
		Title:    "Comparison of two sets of runs",
		Headline: fmt.Sprintf("%d worse, %d not worse, %d too little to tell", count[Worse], count[NotWorse], count[TooLittle]),
		Tables:   filled(verdicts, times),
		Notes: []string{
			fmt.Sprintf("Worse is a time that takes longer by more than %s, and a larger share of failures, when p is not above %g.", c.Margin, c.Level),
			fmt.Sprintf("p is how often chance alone makes such a difference in one of the %d tests of this comparison.", c.Tests),
			"Not worse is a time whose interval of the shift ends within that margin. Unsure times were seen too late to count.",
		},
	}
}

func (t Tested) chance() string {
	switch {
	case t.P == nil:
		return "-"
	case *t.P < 0.0001:
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", *t.P)
}

func (t Tested) String() string {
	switch {
	case t.Outcome != TooLittle:
		return string(t.Outcome)
	case t.Needs == 0:
		return fmt.Sprintf("%s: it takes more than %d runs on each side", t.Outcome, most)
	}
	return fmt.Sprintf("%s: it takes about %d runs on each side", t.Outcome, t.Needs)
}
