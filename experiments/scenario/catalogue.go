// Package scenario reads experiment files and compiles them into plans. What
// a step may do, it takes from a catalogue; where faults land, from a target.
package scenario

import (
	"slices"

	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Catalogue is what a plugin offers to experiments.
type Catalogue struct {
	// Activities are all that a step can name.
	Activities []activity.Activity
	// Calls are the names that arguments of type CallName can have.
	Calls []Call
	// Call names the activity of a step's key call. Its first argument is the call.
	Call string
	// Given names the activity that brings about an experiment's given.
	Given string
	// GivenArgument is the argument of that activity which takes the whole
	// given; empty when the given's keys are its arguments.
	GivenArgument string
	// Teardown names the activity that takes the given back.
	Teardown string
	// Check looks at an activity's arguments together. A [document.Problem] names the
	// wrong one by its path, such as given.dig; nil checks nothing.
	Check func(activity string, arguments map[string]any) error
	// Fits reports whether what the arguments of Given bring about is what a
	// call needs. A [document.Problem] says what is wrong; nil fits all.
	Fits func(arguments map[string]any, call string) error
}

// Call is one call that a service answers.
type Call struct {
	Name    string
	Service string // that answers it
	Summary string // of what is sent, such as "POST dig.instantiate"
}

func (c Catalogue) activity(name string) (activity.Activity, bool) {
	return find(c.Activities, func(one activity.Activity) bool { return one.Name == name })
}

func (c Catalogue) call(name string) (Call, bool) {
	return find(c.Calls, func(one Call) bool { return one.Name == name })
}

func find[T any](list []T, is func(T) bool) (found T, known bool) {
	if at := slices.IndexFunc(list, is); at >= 0 {
		return list[at], true
	}
	return found, false
}

func (c Catalogue) callNames() []string {
	names := make([]string, len(c.Calls))
	for i, call := range c.Calls {
		names[i] = call.Name
	}
	return names
}
