// Package probes observes an EMCO and acts on it. A probe is one function in one
// file behind the interface [Probe]. It knows EMCO's REST API and nothing else.
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
	// observer, one at a time. If ctx is cancelled while the answer is open the
	// result is [Inconclusive], with the last observation.
	Run(ctx context.Context, on Subject, observer Observer) Result
}

// Subject is one EMCO, and the resources there of one attempt of one run.
type Subject struct {
	Client *emco.Client
	Names  emco.Names
	Setup  Setup
	// Existing is set if the resources exist already. Then Names are chosen ones,
	// nothing is created or deleted, and calls are all that is done to them.
	Existing bool
	// Unanswered are calls without an answer that may still take effect, for as
	// long as Settle. A teardown waits for them.
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
	Observer   = activity.Observer
	Resource   = activity.Resource // its anchor is the path below /v2/, as in emcoctl's resource files
	Result     = activity.Result
	Conclusion = activity.Conclusion
)

// The states of a resource and the conclusions of a probe.
const (
	Making, Made, Removed, Left           = activity.Making, activity.Made, activity.Removed, activity.Left
	Passed, Failed, Inconclusive, Errored = activity.Passed, activity.Failed, activity.Inconclusive, activity.Errored
)
