package probes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// life is what calls can do to a resource that exists already: which one
// leads on from a state to another. A state that no call leads to, such as
// Created, is in none.
type life struct {
	kind  emco.Kind
	word  string // of the anchor's template
	field string // of the given state
	// status is the call whose status tells the state.
	status string
	next   map[emco.State]map[emco.State]string
}

// cloudLife comes before groupLife: EMCO instantiates a group only on a
// logical cloud that is Instantiated.
var (
	cloudLife = life{
		kind: emco.LogicalCloud, word: "{logicalCloud}", field: "logicalCloud", status: "logical-cloud.instantiate",
		next: map[emco.State]map[emco.State]string{
			emco.Created:      {emco.Instantiated: "logical-cloud.instantiate", emco.Terminated: "logical-cloud.instantiate"},
			emco.Instantiated: {emco.Terminated: "logical-cloud.terminate"},
			emco.Terminated:   {emco.Instantiated: "logical-cloud.instantiate"},
		},
	}
	groupLife = life{
		kind: emco.DeploymentIntentGroup, word: "{dig}", field: "dig", status: "dig.instantiate",
		next: map[emco.State]map[emco.State]string{
			emco.Created:      {emco.Approved: "dig.approve", emco.Instantiated: "dig.approve", emco.Terminated: "dig.approve"},
			emco.Approved:     {emco.Instantiated: "dig.instantiate", emco.Terminated: "dig.instantiate"},
			emco.Instantiated: {emco.Approved: "dig.terminate", emco.Terminated: "dig.terminate"},
			emco.Terminated:   {emco.Approved: "dig.approve", emco.Instantiated: "dig.instantiate"},
		},
	}
)

// wanted is the state that a given wants of it.
func (l life) wanted(given emco.Given) emco.State {
	full := given.Full()
	if l.kind == emco.LogicalCloud {
		return full.LogicalCloud
	}
	return full.DIG
}

// way lists the calls that lead from a state to another; none if there is
// nothing to do or no way.
func (l life) way(from, to emco.State) []string {
	var calls []string
	for state := from; state != to; {
		name, ok := l.next[state][to]
		call, known := emco.CallNamed(name)
		if !ok || !known {
			return nil
		}
		calls = append(calls, name)
		state = call.End
	}
	return calls
}

// existingStates are the states that a given wants of what exists already, for
// a reader.
func existingStates(given emco.Given) string {
	var states []string
	for _, l := range []life{cloudLife, groupLife} {
		if state := l.wanted(given); state != emco.Absent {
			states = append(states, fmt.Sprintf("%s %s", l.field, state))
		}
	}
	return strings.Join(states, ", ")
}

// withoutExisting is the remedy for what existing resources cannot be
// brought to.
const withoutExisting = "or run it without --use-existing, on resources of its own"

// existing brings resources that exist already to the given state, by calls
// alone: it creates nothing and deletes nothing.
func (m *making) existing(ctx context.Context) error {
	if err := existingFits(m.given); err != nil {
		return err
	}
	for _, l := range []life{cloudLife, groupLife} {
		state := l.wanted(m.given)
		if state == emco.Absent {
			continue
		}
		if err := m.present(ctx, l); err != nil {
			return err
		}
		if err := m.bring(ctx, l, state); err != nil {
			return err
		}
	}
	if cloud := m.given.Full().LogicalCloud; m.given.Full().DIG == emco.Absent && cloud == emco.Instantiated {
		return m.unused(ctx)
	}
	return nil
}

// present makes sure that the resource is there, and that a group is on the
// logical cloud that is named beside it.
func (m *making) present(ctx context.Context, l life) error {
	anchor := m.on.Names.Anchor(l.word)
	answer, err := m.get(ctx, anchor)
	if err != nil {
		return err
	}
	if answer.Missing() {
		return fmt.Errorf("%s is not there: name a %s that exists in the target's settings.existing, %s", anchor, l.kind, withoutExisting)
	}
	if l.kind != emco.DeploymentIntentGroup {
		return nil
	}
	var group group
	if err := json.Unmarshal(answer.Body, &group); err != nil {
		return fmt.Errorf("GET %s: no group: %s", anchor, answer)
	}
	cloud := m.on.Names.Anchor("{logicalCloud}")
	if on := group.Spec.LogicalCloud; on != cloud[strings.LastIndex(cloud, "/")+1:] {
		return fmt.Errorf("%s is on the logical cloud %q, not on %s: name its own in the target's settings.existing.logicalCloud", anchor, document.Shown(on), cloud)
	}
	return nil
}

// group is what a deployment intent group says of its logical cloud.
type group struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		LogicalCloud string `json:"logicalCloud"`
	} `json:"spec"`
}

// bring makes call after call until the resource is in the state.
func (m *making) bring(ctx context.Context, l life, want emco.State) error {
	anchor := m.on.Names.Anchor(l.word)
	status, _ := emco.CallNamed(l.status)
	// No way is longer than the number of states.
	for range len(l.next) + 1 {
		reading, err := m.on.await(ctx, status, m.observer, atRest)
		if err != nil {
			return err
		}
		if !atRest(reading) {
			return fmt.Errorf("%s has not come to rest: status says %s", anchor, describe(reading))
		}
		state := restingState(reading)
		if state == want {
			return nil
		}
		name, ok := l.next[state][want]
		if !ok {
			return fmt.Errorf("%s is %s, and no call leads from there to %s: name one that is, in the target's settings.existing, %s",
				anchor, document.Shown(string(state)), want, withoutExisting)
		}
		m.calls = append(m.calls, name)
		if err := m.call(ctx, name, state); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return fmt.Errorf("%s did not come to be %s by %s", anchor, want, strings.Join(m.calls, ", "))
}

// call makes one call on what is in a state.
func (m *making) call(ctx context.Context, name string, from emco.State) error {
	call, ok := emco.CallNamed(name)
	if !ok {
		return errors.New("no call is named so")
	}
	if call.Action == emco.Approved && from == emco.Terminated {
		return m.approveAnew(ctx, call)
	}
	issue := &issuing{on: m.on, call: call, observer: m.observer, patience: m.patience}
	return issue.run(ctx)
}

// approveAnew approves what was approved before, and terminated since. The
// history says that it was approved, so that only an answer tells that it is
// so now. To approve twice does no harm.
func (m *making) approveAnew(ctx context.Context, call emco.Call) error {
	request, err := m.on.request(call)
	if err != nil {
		return err
	}
	_, err = m.send(ctx, request, func(a emco.Answer) bool {
		m.observer.Note(a.Ended, fmt.Sprintf("POST %s --> %s", request.Anchor, a))
		return a.Outcome.Kind == emco.Accepted
	})
	return err
}

// unused makes sure that no group is on the logical cloud: EMCO refuses to
// terminate it while there is one, and what exists is not deleted.
func (m *making) unused(ctx context.Context) error {
	cloud := m.on.Names.Anchor("{logicalCloud}")
	project := m.on.Names.Anchor("{project}")
	var apps []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Version string `json:"compositeAppVersion"`
		} `json:"spec"`
	}
	if err := m.list(ctx, project+"/composite-apps", &apps); err != nil {
		return err
	}
	for _, app := range apps {
		collection := fmt.Sprintf("%s/composite-apps/%s/%s/deployment-intent-groups", project, app.Metadata.Name, app.Spec.Version)
		var groups []group
		if err := m.list(ctx, collection, &groups); err != nil {
			return err
		}
		for _, group := range groups {
			if strings.HasSuffix(cloud, "/"+group.Spec.LogicalCloud) {
				return fmt.Errorf("%s/%s is on %s, and EMCO terminates no logical cloud with a group on it: delete the group, name another logical cloud, %s",
					document.Shown(collection), document.Shown(group.Metadata.Name), cloud, withoutExisting)
			}
		}
	}
	return nil
}

// list reads a collection, which is empty if EMCO says so in whatever way.
func (m *making) list(ctx context.Context, collection string, into any) error {
	answer, err := m.get(ctx, collection)
	if err != nil || answer.Missing() {
		return err
	}
	if err := json.Unmarshal(answer.Body, into); err != nil || answer.Cut {
		return fmt.Errorf("GET %s: no list: %s", document.Shown(collection), answer)
	}
	return nil
}

// atRest says whether EMCO has done all that the last call has asked for. The
// deployment's state lags behind the last action.
func atRest(reading emco.Reading) bool { return restingState(reading) != "" }

// restingState is the state of what is at rest; empty for what is not.
func restingState(reading emco.Reading) emco.State {
	last, ok := reading.Status.LastAction()
	if reading.Progress == emco.Unknown || !ok {
		return ""
	}
	ends := map[emco.State][]emco.State{
		emco.Instantiated: {emco.Instantiated, emco.InstantiateFailed},
		emco.Terminated:   {emco.Terminated, emco.TerminateFailed},
	}
	switch states, runs := ends[last.State]; {
	case !runs:
		return last.State
	case slices.Contains(states, reading.Status.Deployed):
		return reading.Status.Deployed
	}
	return ""
}
