// Package sdk is all that the author of a plugin imports: the contract as Go
// types, and [Serve].
//
// A plugin knows one system. It describes its experiments and activities,
// compiles an experiment for a target into a plan, and does the plan's
// activities. emco-chaos puts the faults on, and knows nothing of the system.
// The folder example has a whole plugin for a small system.
//
// A run whose plugin sends more than [MessageLimit], [ActivityMessages] or
// [ActivityBytes] ends in Error.
package sdk

import (
	"context"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Plugin is what the author of a plugin writes. Its methods may be called
// from several goroutines at once.
type Plugin interface {
	// Describe returns what the plugin has.
	Describe(ctx context.Context) (Description, error)
	// Compile makes a plan of an experiment for a target. A mistake in the
	// experiment or the target comes back as [document.Problems].
	Compile(ctx context.Context, source Source) (*plan.Plan, error)
	// Run does one activity and returns its answer. ctx ends at the task's
	// timeout or when the activity is cancelled.
	Run(ctx context.Context, task Task, observer Observer) Result
}

// Description is what a plugin has.
type Description struct {
	Name        string
	Version     string
	Experiments []Experiment
	Activities  []Activity
	// Schema is the JSON Schema of the experiment files that the plugin
	// compiles, for editors; empty when it has none.
	Schema []byte
}

// What a plugin describes, and what its activities report.
type (
	// Experiment is a scenario that a plugin brings.
	Experiment = plan.Experiment
	// Parameter is a value that a user may set in an experiment.
	Parameter = plan.Parameter
	// Activity is something that a plugin can do.
	Activity = activity.Activity
	// Argument is one argument of an activity.
	Argument = activity.Argument

	// Observer takes what an activity sees while it runs, one call at a time.
	Observer = activity.Observer
	// Resource is what an activity makes in the system, or removes from it.
	Resource = activity.Resource
	// ResourceState is how far a resource has come.
	ResourceState = activity.ResourceState
	// Conclusion is what an activity's result means for a run.
	Conclusion = activity.Conclusion
	// Result is what came of an activity.
	Result = activity.Result
)

// The states of a resource, and the conclusions of an activity.
const (
	Making, Made, Removed, Left           = activity.Making, activity.Made, activity.Removed, activity.Left
	Passed, Failed, Inconclusive, Errored = activity.Passed, activity.Failed, activity.Inconclusive, activity.Errored
)

// Source is an experiment to compile, and for what.
type Source struct {
	// Experiment is the name of one that the plugin brings; empty when File
	// and Text are set.
	Experiment string
	// File and Text are an experiment of the user's own.
	File string
	Text []byte
	// Target is the target as JSON, with references to credentials and never
	// a credential.
	Target     []byte
	Parameters map[string]string
}

// Task is one use of an activity.
type Task struct {
	// What the activity makes in the system belongs to Run and Attempt.
	Run       string
	Attempt   int
	Target    []byte
	Activity  string
	Arguments map[string]any
	// Timeout is how long the activity has for its answer; 0 is no limit.
	Timeout time.Duration
	// Resources are, for a teardown, the anchors of what is in the system
	// according to the journal. The plugin that made them may have died since.
	Resources []string
	// Unanswered are, for a teardown, the activities that sent something and
	// had no answer: each may still take effect, for as long as Settle.
	Unanswered []Sent
	Settle     time.Duration
	// Recheck: the activity passed before in this attempt, and is asked whether
	// what it found still holds.
	Recheck bool
}

// Sent is an activity that sent something.
type Sent struct {
	Activity  string
	Arguments map[string]any
}
