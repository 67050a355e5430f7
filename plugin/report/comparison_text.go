package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Comparisons are the formats of a comparison, by the names that a user gives them.
var Comparisons = map[string]func(io.Writer, Comparison) error{
	"text":     comparisonText,
	"json":     comparisonJSON,
	"markdown": comparisonMarkdown,
}

// table is a part of a comparison: a row for each case, or for each of its times.
type table struct {
	title string
	head  []string
	rows  [][]string
}

func (c Comparison) tables() []table {
	verdicts := table{title: "Verdicts", head: []string{"case", "before", "after", "change", "p", "failures"}}
	times := table{
		title: "Recovery since down, in seconds, of the runs that Passed or Failed",
		head:  []string{"case", "phase", "runs", "unsure", "median before", "after", "shift", "its 95 % interval", "p", "times"},
	}
	for _, one := range c.Cases {
		verdicts.rows = append(verdicts.rows, []string{
			one.Name, one.Before.String(), one.After.String(), string(one.Change), one.chance(), one.Tested.String(),
		})
		for _, t := range one.Times {
			shift := "-"
			if t.Shift != nil {
				shift = fmt.Sprintf("%+.3f", *t.Shift)
			}
			times.rows = append(times.rows, []string{
				one.Name, t.Step + " " + t.Phase, fmt.Sprintf("%d, %d", t.Before.Runs, t.After.Runs), fmt.Sprintf("%d, %d", t.Before.Unsure, t.After.Unsure),
				t.Before.known(t.Before.Median), t.After.known(t.After.Median), shift, between(t.Interval), t.chance(), t.Tested.String(),
			})
		}
	}
	return slices.DeleteFunc([]table{verdicts, times}, func(t table) bool { return len(t.rows) == 0 })
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
	text := string(t.Outcome)
	if t.Outcome == TooLittle && t.Needs > 0 {
		return fmt.Sprintf("%s: it takes about %d runs on each side", text, t.Needs)
	} else if t.Outcome == TooLittle {
		return fmt.Sprintf("%s: it takes more than %d runs on each side", text, most)
	}
	return text
}

// headline counts the outcomes.
func (c Comparison) headline() string {
	count := c.Outcomes()
	return fmt.Sprintf("%d worse, %d not worse, %d too little to tell", count[Worse], count[NotWorse], count[TooLittle])
}

// legend says what the words of the tables mean.
func (c Comparison) legend() []string {
	return []string{
		fmt.Sprintf("Worse is a time that takes longer by more than %s, and a larger share of failures, when p is not above %g.", c.Margin, c.Level),
		fmt.Sprintf("p is how often chance alone makes such a difference in one of the %d tests of this comparison.", c.Tests),
		"Not worse is a time whose interval of the shift ends within that margin. Unsure times were seen too late to count.",
	}
}

func comparisonText(out io.Writer, c Comparison) error {
	var b strings.Builder
	for _, one := range c.tables() {
		fmt.Fprintln(&b, one.title)
		columns := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range slices.Concat([][]string{one.head}, one.rows) {
			for i, text := range row {
				row[i] = clean(text)
			}
			fmt.Fprintf(columns, "  %s\n", strings.Join(row, "\t"))
		}
		columns.Flush()
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n\n%s\n", strings.Join(c.legend(), "\n"), c.headline())
	return write(out, b.String())
}

func comparisonMarkdown(out io.Writer, c Comparison) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", c.headline())
	for _, one := range c.tables() {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|%s\n", one.title, strings.Join(one.head, " | "), strings.Repeat(" --- |", len(one.head)))
		for _, row := range one.rows {
			for i, text := range row {
				row[i] = escape(text)
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", escape(strings.Join(c.legend(), " ")))
	return write(out, b.String())
}

func comparisonJSON(out io.Writer, c Comparison) error {
	var b strings.Builder
	// Nothing of this can fail to be JSON.
	_ = json.NewEncoder(&b).Encode(c)
	return write(out, b.String())
}
