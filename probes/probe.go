// Package probes observes an EMCO and acts on it.
//
// A probe is one function in one file behind the interface [Probe]. It knows
// EMCO's REST API and nothing else: it runs from the emco-chaos plugin as well
// as from a command line of its own.
package probes

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Probe is one question to EMCO, or one action on it.
type Probe interface {
	// Run asks until the answer is known or ctx ends. Its observations go to
	// observer, in order, from one goroutine at a time. If ctx is cancelled
	// while the answer is open the result is [Inconclusive], with the last
	// observation.
	Run(ctx context.Context, on Subject, observer Observer) Result
}

// Subject is one EMCO, and the resources there that one attempt of one run
// works on.
type Subject struct {
	Client *emco.Client
	Names  emco.Names
	Setup  Setup
	// Existing is set if the resources are not the attempt's own but exist
	// already. Then Names are chosen ones, nothing is created or deleted, and
	// calls are all that is done to them.
	Existing bool
	// Unanswered are calls that were sent, had no answer, and may still take
	// effect, for as long as Settle. A teardown waits for them.
	Unanswered []emco.Call
	Settle     time.Duration
	// Recheck: the probe passed before, and is asked whether what it found still
	// holds.
	Recheck bool
}

// task is one run of a probe.
type task struct {
	Subject
	Observer
	arguments
}

// Probes report in the types of every activity.
type (
	// Observer takes the events, notes and resources of a probe while it runs.
	Observer = activity.Observer
	// Resource is an EMCO resource. Its anchor is the path below /v2/, as in
	// emcoctl's resource files.
	Resource = activity.Resource
	// Result is the answer of a probe.
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
