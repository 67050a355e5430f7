package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Stats are the formats of what many runs say together, by the names that a user
// gives them.
var Stats = map[string]Format{
	"text": statsText,
	"json": func(out io.Writer, runs ...Run) error { return jsonLines(out, Summaries(runs)...) },
	"csv":  statsCSV,
	"html": func(out io.Writer, runs ...Run) error { return statsSheet(runs).html(out) },
}

func statsText(out io.Writer, runs ...Run) error {
	var b strings.Builder
	for _, s := range Summaries(runs) {
		fmt.Fprintf(&b, "%s: %d runs\n", clean(s.Name), s.Runs)
		for _, share := range s.Shares {
			fmt.Fprintf(&b, "  %-12s %5d  %s\n", share.Verdict, share.Runs, percent(share.Runs, s.Runs, share.Interval))
		}
		fmt.Fprintf(&b, "  %d of %d runs hit at the first attempt; %d attempts in all\n", s.AtFirst, s.Runs, s.Attempts)
		if len(s.Times) == 0 {
			fmt.Fprintf(&b, "  no recovery was measured in the %d runs that Passed or Failed\n\n", s.Tally.Conclusive())
			continue
		}
		fmt.Fprintf(&b, "  recovery since down, in seconds, of the %d runs that Passed or Failed\n", s.Tally.Conclusive())
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(table, "\truns\tunsure\tmedian\tits 95 % interval\tp95\t")
		for _, t := range s.Times {
			fmt.Fprintf(table, "%s\t%d\t%d\t%s\t%s\t%s\t\n", clean(t.Name()), t.Runs, t.Unsure, t.known(t.Median), between(t.Interval), t.known(t.P95))
		}
		table.Flush()
		b.WriteString("\n")
	}
	b.WriteString(statsNote + "\n")
	return write(out, b.String())
}

const statsNote = "Intervals are of 95 %: Wilson's of shares, by resampling of medians. Unsure times were seen too late to count."

// statsSheet has a table with a row for each case, and one with a row for each of its times.
func statsSheet(runs []Run) sheet {
	verdicts := table{
		Title: "Verdicts",
		Head:  []string{"case", "runs", "Passed", "Failed", "Inconclusive", "Error", "hits at the first attempt", "attempts in all"},
	}
	times := table{
		Title: "Recovery since down, in seconds, of the runs that Passed or Failed",
		Head:  []string{"case", "phase", "runs", "unsure", "median", "its 95 % interval", "p95"},
	}
	for _, s := range Summaries(runs) {
		row := []string{s.Name, strconv.Itoa(s.Runs)}
		for _, share := range s.Shares {
			row = append(row, fmt.Sprintf("%d: %s", share.Runs, percent(share.Runs, s.Runs, share.Interval)))
		}
		verdicts.row(append(row, strconv.Itoa(s.AtFirst), strconv.Itoa(s.Attempts))...)
		for _, t := range s.Times {
			times.row(s.Name, t.Name(), strconv.Itoa(t.Runs), strconv.Itoa(t.Unsure), t.known(t.Median), between(t.Interval), t.known(t.P95))
		}
	}
	return sheet{Title: "Chaos experiments, all runs together", Headline: TallyOf(runs).String(), Tables: filled(verdicts, times), Notes: []string{statsNote}}
}

// known is a number of the times, which have none without a run.
func (t Times) known(seconds float64) string {
	if t.Runs == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", seconds)
}

func between(interval *statistics.Interval) string {
	if interval == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f to %.3f", interval.Low, interval.High)
}

func percent(n, all int, interval statistics.Interval) string {
	return fmt.Sprintf("%5.1f %% (%.1f to %.1f)", 100*float64(n)/float64(max(1, all)), 100*interval.Low, 100*interval.High)
}

// statsCSV writes a row for each of the times of a case, and one for a case without.
func statsCSV(out io.Writer, runs ...Run) error {
	head := []string{"case", "runs", "hits_at_first_attempt", "attempts"}
	for _, v := range verdict.All() {
		name := strings.ToLower(string(v))
		head = append(head, name, name+"_low", name+"_high")
	}
	head = append(head, "step", "phase", "timed_runs", "unsure_runs", "median_s", "median_low_s", "median_high_s", "p95_s")
	rows := [][]string{head}
	for _, s := range Summaries(runs) {
		row := []string{cell(s.Case), strconv.Itoa(s.Runs), strconv.Itoa(s.AtFirst), strconv.Itoa(s.Attempts)}
		for _, share := range s.Shares {
			row = append(row, strconv.Itoa(share.Runs), decimal(share.Interval.Low), decimal(share.Interval.High))
		}
		if len(s.Times) == 0 {
			rows = append(rows, append(row, make([]string, len(head)-len(row))...))
		}
		for _, t := range s.Times {
			numbers := make([]string, 4)
			if t.Runs > 0 {
				numbers[0], numbers[3] = decimal(t.Median), decimal(t.P95)
			}
			if t.Interval != nil {
				numbers[1], numbers[2] = decimal(t.Interval.Low), decimal(t.Interval.High)
			}
			of := []string{cell(t.Step), cell(t.Phase), strconv.Itoa(t.Runs), strconv.Itoa(t.Unsure)}
			rows = append(rows, slices.Concat(row, of, numbers))
		}
	}
	return written(csv.NewWriter(out).WriteAll(rows))
}

func decimal(number float64) string { return strconv.FormatFloat(number, 'f', 4, 64) }

// cell keeps a spreadsheet from taking a text for a formula.
func cell(text string) string {
	text = clean(text)
	if strings.IndexAny(text, "=+-@") == 0 {
		return "'" + text
	}
	return text
}
