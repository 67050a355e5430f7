// Package bug names the ways in which the emulated EMCO can be told to misbehave, so that a test can show that a
// verdict says no.
package bug

import (
	"fmt"
	"slices"
	"strings"
)

// Bug is one way to misbehave.
type Bug string

// The bugs.
const (
	// LoseState makes a service that was killed forget, on its return, what it had accepted and not finished.
	LoseState Bug = "lose-state"
	// NeverTerminates lets every accepted termination be under way for ever.
	NeverTerminates Bug = "never-terminates"
	// NeverDeploys lets every accepted instantiation of a deployment intent group be under way for ever.
	NeverDeploys Bug = "never-deploys"
	// WrongCodeOnReissue answers the second POST of the same instantiate or terminate by a 400 that EMCO never gives.
	WrongCodeOnReissue Bug = "wrong-code-on-reissue"
	// AnswersAfterKill answers an instantiate or terminate at once and does its work a little later: the answer stands
	// after a kill in between, and nothing is done.
	AnswersAfterKill Bug = "answers-after-kill"
	// Wedges refuses everything but a GET of what was there when the service was first killed, for good: its status,
	// its calls, and the DELETE of it and of what lies below it.
	Wedges Bug = "wedges"
)

// carriers are the services that have each bug.
var carriers = map[Bug][]string{
	LoseState:          {"orchestrator", "dcm"},
	NeverTerminates:    {"rsync"},
	NeverDeploys:       {"rsync"},
	WrongCodeOnReissue: {"orchestrator", "dcm"},
	AnswersAfterKill:   {"orchestrator", "dcm"},
	Wedges:             {"orchestrator", "dcm"},
}

// carriersOf are the services that have a bug; none if there is no such bug.
func carriersOf(name Bug) []string {
	if window, is := windows[name]; is {
		return []string{window.Service}
	}
	return carriers[name]
}

// Set is the bugs that are on.
type Set map[Bug]bool

// Parse reads names.
func Parse(names []string) (Set, error) {
	set := Set{}
	for _, name := range names {
		if carriersOf(Bug(name)) == nil {
			return nil, fmt.Errorf("unknown bug %q: use one of %s", name, strings.Join(Names(), ", "))
		}
		set[Bug(name)] = true
	}
	return set, nil
}

// Names are the names of all bugs.
func Names() []string {
	names := make([]string, 0, len(carriers)+len(windows))
	for name := range carriers {
		names = append(names, string(name))
	}
	for name := range windows {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return names
}

// Of returns those bugs of the set that a service has.
func (s Set) Of(service string) Set {
	own := Set{}
	for each := range s {
		if slices.Contains(carriersOf(each), service) {
			own[each] = true
		}
	}
	return own
}

// Names are the names of the bugs in the set.
func (s Set) Names() []string {
	names := make([]string, 0, len(s))
	for each, on := range s {
		if on {
			names = append(names, string(each))
		}
	}
	slices.Sort(names)
	return names
}
