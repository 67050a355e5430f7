package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Format writes a report of runs.
type Format func(out io.Writer, runs ...Run) error

// Formats are the formats of a report, by the names that a user gives them.
var Formats = map[string]Format{
	"text":     Text,
	"json":     JSON,
	"junit":    JUnit,
	"markdown": Markdown,
}

// each writes what a format makes of the runs, one after another.
func each(out io.Writer, runs []Run, one func(*strings.Builder, Run)) error {
	var b strings.Builder
	for _, r := range runs {
		one(&b, r)
	}
	return write(out, b.String())
}

func write(out io.Writer, text string) error {
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// list writes a line for each entry below a head, if there is any.
func list[T any](b *strings.Builder, head string, entries []T, line func(T) string) {
	for i, entry := range entries {
		if i == 0 {
			b.WriteString(head)
		}
		b.WriteString(line(entry) + "\n")
	}
}

// Tally counts verdicts.
type Tally struct {
	Passed       int `json:"passed"`
	Failed       int `json:"failed"`
	Inconclusive int `json:"inconclusive"`
	Errors       int `json:"errors"`
}

// Add counts one.
func (t *Tally) Add(v verdict.Verdict) {
	switch v {
	case verdict.Passed:
		t.Passed++
	case verdict.Failed:
		t.Failed++
	case verdict.Inconclusive:
		t.Inconclusive++
	default:
		t.Errors++
	}
}

func (t Tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d inconclusive, %d errors", t.Passed, t.Failed, t.Inconclusive, t.Errors)
}

// Exit codes of a run.
const (
	ExitPassed       = 0
	ExitFailed       = 1
	ExitUsage        = 2
	ExitInconclusive = 3
	ExitError        = 4
)

// ExitCode is that of the worst verdict: an error of the tool hides what a
// failure of the system would show, so it comes first.
func (t Tally) ExitCode() int {
	switch {
	case t.Errors > 0:
		return ExitError
	case t.Failed > 0:
		return ExitFailed
	case t.Inconclusive > 0:
		return ExitInconclusive
	default:
		return ExitPassed
	}
}
