package probes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

const runWithoutExisting = "run this experiment without --use-existing"

// BlastRadius tells of each resource that exists already what a run does to it
// that begins in a given state and then makes calls: one text a resource. A
// given or a call that only resources of the run's own can have is a
// [document.Problem].
func BlastRadius(names emco.Names, given emco.Given, calls []string) ([]string, error) {
	if err := existingFits(given); err != nil {
		return nil, err
	}
	var texts []string
	for _, l := range lifecycles {
		verbs, err := l.verbs(calls)
		if err != nil {
			return nil, err
		}
		var parts []string
		if state := l.state(given); state != emco.Absent {
			parts = append(parts, l.begins(state))
		}
		if len(verbs) > 0 {
			parts = append(parts, "then the experiment: "+strings.Join(verbs, ", "))
		}
		if len(parts) > 0 {
			texts = append(texts, fmt.Sprintf("%s: %s", names.Anchor(l.word), strings.Join(parts, "; ")))
		}
	}
	return texts, nil
}

// existingFits finds out whether what exists already can be in the given
// state without anything being deleted.
func existingFits(given emco.Given) error {
	states := given.Document()
	for _, field := range []string{"clusterProvider", "cluster", "clusterLabel"} {
		if states[field] == string(emco.Absent) {
			return document.Problem{Field: "given." + field, Message: "is absent, and a run on existing resources deletes nothing", Remedy: runWithoutExisting}
		}
	}
	return nil
}

// verbs are the calls that work on the resource, each once, without what they
// have in common.
func (l lifecycle) verbs(calls []string) ([]string, error) {
	var verbs []string
	for _, name := range calls {
		call, _ := emco.CallNamed(name)
		if call.Creates != "" {
			return nil, document.Problem{Field: "steps", Message: fmt.Sprintf("%s makes a %s, and a run on existing resources makes nothing", name, call.Creates),
				Remedy: runWithoutExisting}
		}
		if verb := verb(name); strings.HasPrefix(call.Path, l.word+"/") && !slices.Contains(verbs, verb) {
			verbs = append(verbs, verb)
		}
	}
	return verbs, nil
}

// begins tells how the resource comes to be in the state that a run begins in.
func (l lifecycle) begins(want emco.State) string {
	var paths []string
	for _, from := range []emco.State{emco.Created, emco.Approved, emco.Instantiated, emco.Terminated} {
		path := l.path(from, want)
		for i, name := range path {
			path[i] = verb(name)
		}
		if len(path) > 0 {
			paths = append(paths, fmt.Sprintf("%s if it is %s", strings.Join(path, ", "), from))
		}
	}
	if len(paths) == 0 {
		return fmt.Sprintf("must be %s before each attempt", want)
	}
	return fmt.Sprintf("brought to %s before each attempt (%s)", want, strings.Join(paths, "; "))
}

// verb is what a call does, without what it does it to.
func verb(call string) string { return call[strings.LastIndex(call, ".")+1:] }
