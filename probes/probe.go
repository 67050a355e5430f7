// Package probes asks an EMCO questions and tells what it saw.
//
// A probe is one small struct in one file behind the interface [Probe]. It
// knows EMCO's REST API and nothing else: it runs as well from the emco-chaos
// plugin as from a command line of its own.
package probes

import (
	"context"
	"time"

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

// Observer takes what a probe sees while it runs.
type Observer interface {
	// Event says that something happened that other steps may wait for.
	// Each name of a probe's events comes at most once in a run of it.
	Event(name string, at time.Time, detail map[string]string)
	// Note says something for the reader that nobody waits for, such as a
	// status that changed or how an outage looked from outside.
	Note(at time.Time, text string)
	// Resource says what the probe makes in EMCO or removes from it, before
	// and after it does so, so that a later process can clear up.
	Resource(Resource)
}

// Resource is an EMCO resource that a run made, is about to make, removed,
// or could not remove.
type Resource struct {
	// Anchor is the path below /v2/, as in emcoctl's resource files.
	Anchor string
	State  ResourceState
	// Reason says why a resource is Left.
	Reason string
}

// ResourceState says how far a resource has come.
type ResourceState string

// The states of a resource, in the order of its life.
const (
	Making  ResourceState = "making"
	Made    ResourceState = "made"
	Removed ResourceState = "removed"
	Left    ResourceState = "left"
)

// Conclusion is what a probe's answer means for a run.
type Conclusion string

// The conclusions of a probe.
const (
	// Passed: EMCO answered as the document promises.
	Passed Conclusion = "passed"
	// Failed: EMCO did not.
	Failed Conclusion = "failed"
	// Inconclusive: what the probe had to see did not come to be seen, and
	// that says nothing about EMCO.
	Inconclusive Conclusion = "inconclusive"
	// Errored: the probe could not do its work.
	Errored Conclusion = "error"
)

// Result is a probe's answer.
type Result struct {
	Conclusion Conclusion
	// Message is one sentence in the words of the document.
	Message string
	// Outcome is what became of a call (an [emco.Outcome] as text, such as
	// "accepted", "rejected 500", "connection-lost"); empty for a probe
	// that is not one call.
	Outcome string
	// Evidence is what the answer rests on, such as the last status.
	Evidence map[string]string
}
