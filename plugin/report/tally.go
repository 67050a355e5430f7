package report

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Tally counts verdicts.
type Tally struct {
	Passed       int `json:"passed"`
	Failed       int `json:"failed"`
	Inconclusive int `json:"inconclusive"`
	Errors       int `json:"errors"`
}

// TallyOf counts the verdicts of runs.
func TallyOf(runs []Run) (t Tally) {
	for _, r := range runs {
		t.Add(r.Verdict)
	}
	return t
}

func (t *Tally) Add(v verdict.Verdict) { *t.of(v)++ }

// of is the number of a verdict.
func (t *Tally) of(v verdict.Verdict) *int {
	switch v {
	case verdict.Passed:
		return &t.Passed
	case verdict.Failed:
		return &t.Failed
	case verdict.Inconclusive:
		return &t.Inconclusive
	}
	return &t.Errors
}

// Conclusive is how many runs say something of the system.
func (t Tally) Conclusive() int { return t.Passed + t.Failed }

func (t Tally) String() string {
	return fmt.Sprintf("%d passed, %d failed, %d inconclusive, %d errors", t.Passed, t.Failed, t.Inconclusive, t.Errors)
}

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
	}
	return ExitPassed
}
