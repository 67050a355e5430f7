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
