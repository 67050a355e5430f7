// Package activity describes what a plugin can do to the system that it knows,
// and what it reports while it does it.
package activity

import "slices"

// Activity is something that a plugin can do.
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

// First returns the first argument of that type.
func (a Activity) First(kind Type) (Argument, bool) {
	if at := slices.IndexFunc(a.Arguments, func(argument Argument) bool { return argument.Type == kind }); at >= 0 {
		return a.Arguments[at], true
	}
	return Argument{}, false
}

// ArgumentNames are the names of the arguments in their order.
func (a Activity) ArgumentNames() []string {
	names := make([]string, len(a.Arguments))
	for i, argument := range a.Arguments {
		names[i] = argument.Name
	}
	return names
}

// Argument is one argument of an activity.
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
