package probes

import (
	"context"
	"fmt"
	"path"
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
		state := l.state(p.given)
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

// existingStates describes what a given state demands of existing resources.
func existingStates(given emco.Given) string {
	var states []string
	for _, l := range lifecycles {
		if state := l.state(given); state != emco.Absent {
			states = append(states, fmt.Sprintf("%s %s", l.field, state))
		}
	}
	return strings.Join(states, ", ")
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
	cloud, project := p.Names.Anchor("{logicalCloud}"), p.Names.Anchor("{project}")
	apps, err := p.list(ctx, project+"/composite-apps")
	if err != nil {
		return err
	}
	for _, app := range apps {
		collection := fmt.Sprintf("%s/composite-apps/%s/%s/deployment-intent-groups", project, app.Metadata.Name, app.Spec.Version)
		groups, err := p.list(ctx, collection)
		if err != nil {
			return err
		}
		for _, group := range groups {
			if group.Spec.LogicalCloud == path.Base(cloud) {
				return fmt.Errorf("%s/%s is on %s, and EMCO terminates no logical cloud with a group on it: delete the group, name another logical cloud, %s",
					document.Shown(collection), document.Shown(group.Metadata.Name), cloud, withoutExisting)
			}
		}
	}
	return nil
}

// list reads a collection, which is empty if EMCO answers that it is missing.
func (p *preparation) list(ctx context.Context, collection string) ([]emco.Found, error) {
	answer, err := p.find(ctx, collection)
	if err != nil || answer.Missing() {
		return nil, err
	}
	list, ok := answer.List()
	if !ok {
		return nil, fmt.Errorf("GET %s: no list: %s", document.Shown(collection), answer)
	}
	return list, nil
}
