package probes

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// leavePatience bounds how long a teardown waits for the state of one
// resource that it leaves.
const leavePatience = 30 * time.Second

// leave tells in which state resources that exist already are left. It
// changes nothing.
func leave(ctx context.Context, on Subject, observer Observer) Result {
	result := Result{Conclusion: Passed, Evidence: map[string]string{"removed": "0"}}
	var told []string
	for _, l := range []life{cloudLife, groupLife} {
		if !on.Names.Chose(l.word) {
			continue
		}
		state, known := on.leftIn(ctx, l, observer)
		if !known {
			result.Conclusion = Errored
		}
		anchor := on.Names.Anchor(l.word)
		result.Evidence[string(l.kind)] = state
		told = append(told, fmt.Sprintf("%s %s", anchor, state))
	}
	result.Message = "nothing was removed; left as they are: " + strings.Join(told, ", ")
	return result
}

// leftIn is the state of a resource in a word or two, and whether EMCO told.
func (s Subject) leftIn(ctx context.Context, l life, observer Observer) (state string, known bool) {
	ctx, cancel := context.WithTimeout(ctx, leavePatience)
	defer cancel()
	if answer := s.get(ctx, s.Names.Anchor(l.word)); answer.err == nil && answer.Missing() {
		return string(emco.Absent), true
	}
	call, _ := emco.CallNamed(l.status)
	reading, err := s.await(ctx, call, observer, func(reading emco.Reading) bool { return reading.Progress != emco.Unknown })
	if err != nil {
		return "in a state that is not known: " + err.Error(), false
	}
	if reading.Progress == emco.Unknown {
		return "in a state that is not known: " + reading.Text, false
	}
	return describe(reading), true
}
