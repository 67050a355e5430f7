package emcoctl

import (
	"errors"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Verdict says what became of one resource.
type Verdict string

// The verdicts.
const (
	// Done: EMCO did what was asked, and reached the state if it was waited
	// for.
	Done Verdict = "done"
	// Already: it was as it should be before, and nothing was changed.
	Already Verdict = "already"
	// Skipped: there is nothing to do for it.
	Skipped Verdict = "skipped"
	// Refused: EMCO answered that it does not, or did not reach the state.
	Refused Verdict = "refused"
	// Unreachable: no answer of EMCO's came.
	Unreachable Verdict = "unreachable"
)

// Step is what was done for one resource.
type Step struct {
	Resource Resource
	// Anchor is what was posted to or deleted.
	Anchor  string
	Verdict Verdict
	// Answer is EMCO's to the POST or the DELETE; nil if there was none.
	Answer *emco.Answer
	// Text says in one line what became of it.
	Text string
	// Took is the time from the first call to the verdict.
	Took time.Duration
}

func (s Step) end(verdict Verdict, text string) Step {
	s.Verdict, s.Text = verdict, text
	return s
}

// Observer sees what is done.
type Observer interface {
	// Call comes after each POST and DELETE.
	Call(anchor string, answer emco.Answer)
	// Step comes after each resource.
	Step(Step)
}

// Options say how to apply and delete.
type Options struct {
	// Strict takes it for a refusal that something is there already when it
	// is applied, or gone already when it is deleted.
	Strict bool
	// KeepGoing goes on after a refusal, as emcoctl does. It never goes on
	// when EMCO cannot be reached.
	KeepGoing bool
	// NoWait does not wait for the state that the last call leads to. What a
	// call follows on is always waited for.
	NoWait bool
	// Patience bounds the wait for one state. 0 means five minutes.
	Patience time.Duration
	// Interval is the time between two readings of a state. 0 means 200 ms.
	Interval time.Duration
}

// The errors of [Apply] and [Delete].
var (
	// ErrRefused: EMCO refused something, or did not reach a state in time.
	ErrRefused = errors.New("EMCO refused something")
	// ErrUnreachable: EMCO could not be reached, or the work was ended.
	ErrUnreachable = errors.New("EMCO could not be reached")
)
