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
	return fillColumns(out, tabwriter.AlignRight, "stats.gotmpl", struct {
		Cases []Summary
		Note  string
	}{Summaries(runs), statsNote})
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
			row = append(row, fmt.Sprintf("%d: %s", share.Runs, share.percent(s.Runs)))
		}
		verdicts.row(append(row, strconv.Itoa(s.AtFirst), strconv.Itoa(s.Attempts))...)
		for _, t := range s.Times {
			times.row(append([]string{s.Name}, t.Texts()...)...)
		}
	}
	return sheet{Title: "Chaos experiments, all runs together", Headline: TallyOf(runs).String(), Tables: filled(verdicts, times), Notes: []string{statsNote}}
}

// Texts are the name, the runs, the unsure ones, the median with its interval, and the
// 95th percentile.
func (t Times) Texts() []string {
	return []string{clean(t.Name()), strconv.Itoa(t.Runs), strconv.Itoa(t.Unsure), t.known(t.Median), between(t.Interval), t.known(t.P95)}
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

// percent is the share of so many runs, and where it lies.
func (s Share) percent(all int) string {
	return fmt.Sprintf("%5.1f %% (%.1f to %.1f)", 100*float64(s.Runs)/float64(max(1, all)), 100*s.Interval.Low, 100*s.Interval.High)
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
