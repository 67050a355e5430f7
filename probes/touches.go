package probes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Touches says of each resource that exists already, for a reader, what a run
// does to it that begins in a given state and then makes calls: one text a
// resource. A given or a call that only resources of the run's own can have
// is an [document.Problem].
func Touches(names emco.Names, given emco.Given, calls []string) ([]string, error) {
	if err := existingFits(given); err != nil {
		return nil, err
	}
	var texts []string
	for _, l := range []life{cloudLife, groupLife} {
		own, err := l.made(calls)
		if err != nil {
			return nil, err
		}
		state := l.wanted(given)
		var parts []string
		if state != emco.Absent {
			parts = append(parts, l.begin(state))
		}
		if len(own) > 0 {
			parts = append(parts, "then the experiment: "+strings.Join(own, ", "))
		}
		if len(parts) > 0 {
			texts = append(texts, fmt.Sprintf("%s: %s", names.Anchor(l.word), strings.Join(parts, "; ")))
		}
	}
	return texts, nil
}

// existingFits says whether what exists already can be in the given state
// without anything being deleted.
func existingFits(given emco.Given) error {
	full := given.Full()
	for _, field := range []struct {
		name  string
		state emco.State
	}{{"clusterProvider", full.ClusterProvider}, {"cluster", full.Cluster}, {"clusterLabel", full.ClusterLabel}} {
		if field.state == emco.Absent {
			return document.Problem{Field: "given." + field.name, Message: "is absent, and a run on existing resources deletes nothing",
				Remedy: "run this experiment without --use-existing"}
		}
	}
	return nil
}

// made are those of the calls that work on it, without what they have in
// common.
func (l life) made(calls []string) ([]string, error) {
	var own []string
	for _, name := range calls {
		call, known := emco.CallNamed(name)
		if !known {
			continue
		}
		if call.Creates != "" {
			return nil, document.Problem{Field: "steps", Message: fmt.Sprintf("%s makes a %s, and a run on existing resources makes nothing", name, call.Creates),
				Remedy: "run this experiment without --use-existing"}
		}
		if verb := verb(name); strings.HasPrefix(call.Path, l.word+"/") && !slices.Contains(own, verb) {
			own = append(own, verb)
		}
	}
	return own, nil
}

// begin says how it comes to be in the state that a run begins in.
func (l life) begin(want emco.State) string {
	var ways []string
	for _, from := range []emco.State{emco.Created, emco.Approved, emco.Instantiated, emco.Terminated} {
		if way := l.way(from, want); len(way) > 0 {
			for i, name := range way {
				way[i] = verb(name)
			}
			ways = append(ways, fmt.Sprintf("%s if it is %s", strings.Join(way, ", "), from))
		}
	}
	if len(ways) == 0 {
		return fmt.Sprintf("must be %s before each attempt", want)
	}
	return fmt.Sprintf("brought to %s before each attempt (%s)", want, strings.Join(ways, "; "))
}

// verb is what a call does, without what it does it to.
func verb(call string) string { return call[strings.LastIndex(call, ".")+1:] }
