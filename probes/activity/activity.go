// Package activity describes what a plugin can do to the system that it knows,
// and what it reports while it does it.
package activity

import (
	"slices"
	"time"
)

type Activity struct {
	Name    string
	Summary string // one line
	// Arguments are in the order of importance: a value that stands alone in
	// an experiment is the first.
	Arguments []Argument
	Events    []string // all that it can emit, in their usual order
	Ends      []string // those of Events that end it: exactly one of them comes

	// The experiment language uses what follows; it does not travel over the wire.
	HasOutcome bool   // it ends with an outcome that a step can expect
	Lasting    bool   // what it sent may take effect after it is cancelled
	Recheck    bool   // what it found must still hold at the attempt's end
	Measures   string // the recovery time that it ends when it passes: Answers, Converged or none
	Probe      bool   // a step can name it as its probe
	Follows    bool   // it asks for what a call has led to: some step must make that call
}

// The recovery times that an activity can measure: until what was down answers,
// and until the system is in the state that it was to reach.
const (
	Answers   = "answers"
	Converged = "converged"
)

func (a Activity) First(kind Type) (Argument, bool) {
	if at := slices.IndexFunc(a.Arguments, func(argument Argument) bool { return argument.Type == kind }); at >= 0 {
		return a.Arguments[at], true
	}
	return Argument{}, false
}

func (a Activity) ArgumentNames() []string {
	names := make([]string, len(a.Arguments))
	for i, argument := range a.Arguments {
		names[i] = argument.Name
	}
	return names
}

type Argument struct {
	Name        string
	Type        Type
	Required    bool
	Allowed     []string // the only values; empty when any will do
	Description string
}

// Type is the type of an argument, or of an experiment's parameter.
type Type string

// The types of arguments and parameters. Mapping is for arguments alone.
const (
	Text        Type = "string"
	Integer     Type = "integer"
	Boolean     Type = "boolean"
	Duration    Type = "duration"
	CallName    Type = "call"
	ServiceName Type = "service"
	Mapping     Type = "mapping"
)

// Observer takes what an activity sees while it runs, one call at a time.
type Observer interface {
	// Event reports that something happened that other steps may wait for.
	// Each of an activity's events comes at most once in a run of it.
	Event(name string, at time.Time, detail map[string]string)
	// Note tells the reader what nothing waits for, such as a status that changed.
	Note(at time.Time, text string)
	// Resource reports what is made in the system or removed from it, before
	// and after it is done, so that a later process can clean up.
	Resource(resource Resource)
}

// Resource is something in the system that a run makes or removes.
type Resource struct {
	Anchor string // its name in the system's own way
	State  ResourceState
	Reason string // why it is Left
}

// ResourceState is how far a resource has come.
type ResourceState string

// The states of a resource, in the order of its lifecycle.
const (
	Making  ResourceState = "making"
	Made    ResourceState = "made"
	Removed ResourceState = "removed"
	Left    ResourceState = "left"
)

// Conclusion is what an activity's result means for a run.
type Conclusion string

const (
	Passed       Conclusion = "passed"       // the system answered as its document promises
	Failed       Conclusion = "failed"       // the system did not
	Inconclusive Conclusion = "inconclusive" // not seen, which says nothing about the system
	Errored      Conclusion = "error"        // the activity could not do its work
)

// Result is what came of an activity.
type Result struct {
	Conclusion Conclusion
	Message    string            // one sentence for the reader
	Outcome    string            // of one call, such as "accepted", "rejected 500" or "connection-lost"
	Evidence   map[string]string // what the conclusion rests on, such as the last status
}
