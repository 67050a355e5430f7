package probes

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// withoutExisting is the remedy for a state that existing resources cannot reach.
const withoutExisting = "or run it without --use-existing, on resources of its own"

// existing brings resources that exist already to the given state, by calls
// alone: it creates nothing and deletes nothing.
func (p *preparation) existing(ctx context.Context) error {
	if err := existingFits(p.given); err != nil {
		return err
	}
	for _, l := range lifecycles {
		state := p.given.State(l.field)
		if state == emco.Absent {
			continue
		}
		if err := p.present(ctx, l); err != nil {
			return err
		}
		if err := p.driveTo(ctx, l, state); err != nil {
			return err
		}
	}
	if full := p.given.Full(); full.DIG == emco.Absent && full.LogicalCloud == emco.Instantiated {
		return p.unused(ctx)
	}
	return nil
}

func existingStates(given emco.Given) string {
	var parts []string
	for _, l := range lifecycles {
		if state := given.State(l.field); state != emco.Absent {
			parts = append(parts, l.field+" "+string(state))
		}
	}
	return strings.Join(parts, ", ")
}

// present checks that the resource exists, and a group on the cloud named with it.
func (p *preparation) present(ctx context.Context, l lifecycle) error {
	anchor, cloud := p.Names.Anchor(l.word), p.Names.Anchor("{logicalCloud}")
	answer, err := p.find(ctx, anchor)
	if err != nil {
		return err
	}
	if answer.Missing() {
		return fmt.Errorf("%s is not there: name a %s that exists in the target's settings.existing, %s", anchor, l.kind, withoutExisting)
	}
	found, ok := answer.Found()
	switch {
	case l.kind != emco.DeploymentIntentGroup:
	case !ok:
		return fmt.Errorf("GET %s: no group: %s", anchor, answer)
	case found.Spec.LogicalCloud != path.Base(cloud):
		return fmt.Errorf("%s is on the logical cloud %q, not on %s: name its own in the target's settings.existing.logicalCloud",
			anchor, document.Shown(found.Spec.LogicalCloud), cloud)
	}
	return nil
}

// unused checks that no group is on the logical cloud: EMCO refuses to
// terminate it while there is one, and what exists is not deleted.
func (p *preparation) unused(ctx context.Context) error {
	cloud := p.Names.Anchor("{logicalCloud}")
	apps, err := p.list(ctx, p.Names.Anchor("{project}/composite-apps"))
	if err != nil {
		return err
	}
	for _, app := range apps {
		groups, err := p.list(ctx, app.Anchor+"/deployment-intent-groups")
		if err != nil {
			return err
		}
		for _, group := range groups {
			if group.Spec.LogicalCloud == path.Base(cloud) {
				return fmt.Errorf("%s is on %s, and EMCO terminates no logical cloud with a group on it: delete the group, name another logical cloud, %s",
					document.Shown(group.Anchor), cloud, withoutExisting)
			}
		}
	}
	return nil
}

// list reads a collection, which is empty if EMCO answers that it is missing.
func (p *preparation) list(ctx context.Context, collection string) ([]emco.Found, error) {
	answer, err := p.find(ctx, collection)
	list, ok := answer.Children()
	if err == nil && !ok {
		err = fmt.Errorf("GET %s: no list: %s", document.Shown(collection), answer)
	}
	return list, err
}

const runWithoutExisting = "run this experiment without --use-existing"

// BlastRadius describes what a run does to each resource that exists already,
// one text a resource: it brings them to a given state and then makes calls.
// A given state or a call that needs resources of the run's own is a
// [document.Problem].
func BlastRadius(names emco.Names, given emco.Given, calls []string) (texts []string, err error) {
	if err := existingFits(given); err != nil {
		return nil, err
	}
	for _, l := range lifecycles {
		var parts, verbs []string
		if state := given.State(l.field); state != emco.Absent {
			parts = append(parts, l.preparation(state))
		}
		for _, name := range calls {
			call, _ := emco.CallNamed(name)
			if call.Creates != "" {
				return nil, document.Problem{Field: "steps", Remedy: runWithoutExisting,
					Message: fmt.Sprintf("%s makes a %s, and a run on existing resources makes nothing", name, call.Creates)}
			}
			if l.has(call) && !slices.Contains(verbs, verb(call)) {
				verbs = append(verbs, verb(call))
			}
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
	for _, field := range []string{"dig2", "dig3"} {
		if given.State(field) != emco.Absent {
			return document.Problem{Field: "given." + field, Message: "is there, and a run on existing resources has one group", Remedy: runWithoutExisting}
		}
	}
	for _, field := range []string{"clusterProvider", "cluster", "clusterLabel"} {
		if given.State(field) == emco.Absent {
			return document.Problem{Field: "given." + field, Message: "is absent, and a run on existing resources deletes nothing", Remedy: runWithoutExisting}
		}
	}
	return nil
}

// preparation tells by which calls a resource is brought to a state.
func (l lifecycle) preparation(want emco.State) string {
	var paths []string
	for _, from := range []emco.State{emco.Created, emco.Approved, emco.Instantiated, emco.Terminated} {
		var path []string
		for state := from; state != want; {
			call, leads := l.next(state, want)
			if !leads {
				path = nil
				break
			}
			path = append(path, verb(call))
			state = call.End
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

func verb(call emco.Call) string { return call.Name[strings.LastIndex(call.Name, ".")+1:] }
