// Package scenario reads experiment files and compiles them into plans. What
// a step may do, it takes from a catalogue; where faults land, from a target.
package scenario

import (
	"slices"
	"strings"
)

// Catalogue is what a plugin offers to experiments.
type Catalogue struct {
	// Activities are all that a step can name.
	Activities []Activity
	// Calls are the names that arguments of type CallName can have.
	Calls []Call
	// Call names the activity behind a step's key call. Its first argument is
	// the name of the call.
	Call string
	// Given names the activity that brings about an experiment's given.
	Given string
	// GivenArgument is the argument of that activity which takes the whole
	// given; empty when the given's keys are its arguments.
	GivenArgument string
	// Teardown names the activity that takes the given back.
	Teardown string
	// Fits says whether what the arguments of Given bring about is what a
	// call needs. An [ArgumentError] says what is wrong; nil fits all.
	Fits func(arguments map[string]any, call string) error
}

// Activity is something that a plugin does.
type Activity struct {
	Name string
	// Summary says in a sentence what the activity does.
	Summary string
	// Arguments are in the order of importance: one value that stands alone
	// is the first.
	Arguments []Argument
	// Events are all events it can emit, in their usual order, and Ends those
	// that end it.
	Events []string
	Ends   []string
	// HasOutcome says that it ends with an outcome that a step can expect.
	HasOutcome bool
	// Lasting says that what it sent may take effect after it is cancelled.
	Lasting bool
	// Probe says that a step can name it as its probe.
	Probe bool
	// Follows says that it asks for what a call has led to: some step must
	// make that call.
	Follows bool
	// Check looks at the arguments together once each has been read. An
	// [ArgumentError] says which one is wrong; nil checks nothing.
	Check func(arguments map[string]any) error
}

// Argument is one argument of an activity.
type Argument struct {
	Name        string
	Type        Type
	Required    bool
	Allowed     []string
	Description string
}

// Call is one call that a service answers.
type Call struct {
	Name string
	// Service is the service that answers it.
	Service string
	// Summary says in a few words what is sent.
	Summary string
}

// Type is the type of an argument or of a parameter.
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

// ArgumentError says which argument is wrong and what to do about it.
type ArgumentError struct {
	// Argument is the argument's name, or a path below it such as given.dig.
	Argument string
	Message  string
	Remedy   string
}

func (e *ArgumentError) Error() string {
	text := e.Message
	if e.Argument != "" {
		text = e.Argument + ": " + text
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

func (c Catalogue) activity(name string) (Activity, bool) {
	for _, activity := range c.Activities {
		if activity.Name == name {
			return activity, true
		}
	}
	return Activity{}, false
}

func (c Catalogue) probes() []string {
	var names []string
	for _, activity := range c.Activities {
		if activity.Probe {
			names = append(names, activity.Name)
		}
	}
	return names
}

func (c Catalogue) call(name string) (Call, bool) {
	for _, call := range c.Calls {
		if call.Name == name {
			return call, true
		}
	}
	return Call{}, false
}

func (c Catalogue) callNames() []string {
	names := make([]string, len(c.Calls))
	for i, call := range c.Calls {
		names[i] = call.Name
	}
	return names
}

// argument returns the first argument of that type.
func (a Activity) argument(kind Type) (Argument, bool) {
	at := slices.IndexFunc(a.Arguments, func(argument Argument) bool { return argument.Type == kind })
	if at < 0 {
		return Argument{}, false
	}
	return a.Arguments[at], true
}

func (a Activity) argumentNames() string {
	names := make([]string, len(a.Arguments))
	for i, argument := range a.Arguments {
		names[i] = argument.Name
	}
	return strings.Join(names, ", ")
}
