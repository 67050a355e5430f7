package probes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

const runWithoutExisting = "run this experiment without --use-existing"

// BlastRadius describes what a run does to each resource that exists already,
// one text a resource: it brings them to a given state and then makes calls.
// A given state or a call that needs resources of the run's own is a
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
			parts = append(parts, l.preparation(state))
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

// existingFits refuses a given state for which something has to be deleted.
func existingFits(given emco.Given) error {
	for _, field := range []string{"clusterProvider", "cluster", "clusterLabel"} {
		if given.Document()[field] == string(emco.Absent) {
			return document.Problem{Field: "given." + field, Message: "is absent, and a run on existing resources deletes nothing", Remedy: runWithoutExisting}
		}
	}
	return nil
}

// verbs are those of the calls that work on the resource, each once.
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

// preparation describes how the resource gets to the state that a run begins in.
func (l lifecycle) preparation(want emco.State) string {
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

// verb is the last part of a call's name, such as instantiate.
func verb(call string) string { return call[strings.LastIndex(call, ".")+1:] }
