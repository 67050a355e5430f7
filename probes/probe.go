// Package probes asks an EMCO questions and tells what it saw.
//
// A probe is one small struct in one file behind the interface [Probe]. It
// knows EMCO's REST API and nothing else: it runs as well from the emco-chaos
// plugin as from a command line of its own.
package probes

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Probe is one question to EMCO, or one action on it.
type Probe interface {
	// Run asks until the answer is known or ctx ends. What it sees on the
	// way goes to observer, in order, from one goroutine at a time.
	// A probe that ctx ended before it knew returns [Inconclusive] when its
	// answer was still open, and says what it had seen last.
	Run(ctx context.Context, on Subject, observer Observer) Result
}

// Subject is what a probe works on: one EMCO, and the resources there that
// one attempt of one run works on.
type Subject struct {
	Client *emco.Client
	Names  emco.Names
	Setup  Setup
	// Existing says that the resources are not the attempt's own but exist
	// already. Then Names are chosen ones, nothing is created or deleted, and
	// calls are all that is done to them.
	Existing bool
	// Unanswered are calls that were sent, had no answer, and may still take
	// effect, for as long as Settle. A teardown waits for them.
	Unanswered []emco.Call
	Settle     time.Duration
}

// task is one run of a probe.
type task struct {
	Subject
	Observer
	arguments
}

// What a probe reports is what every activity reports.
type (
	// Observer takes what a probe sees while it runs.
	Observer = activity.Observer
	// Resource is an EMCO resource. Its anchor is the path below /v2/, as in
	// emcoctl's resource files.
	Resource = activity.Resource
	// Result is a probe's answer, in the words of the document.
	Result = activity.Result

	Conclusion    = activity.Conclusion
	ResourceState = activity.ResourceState
)

// The states of a resource and the conclusions of a probe.
const (
	Making  = activity.Making
	Made    = activity.Made
	Removed = activity.Removed
	Left    = activity.Left

	Passed       = activity.Passed
	Failed       = activity.Failed
	Inconclusive = activity.Inconclusive
	Errored      = activity.Errored
)
