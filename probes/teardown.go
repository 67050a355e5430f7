package probes

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// teardown removes the attempt's resources, in the order in which EMCO lets
// them go. What existed before the run stays, and it tells in which state.
type teardown struct{}

var teardownKind = Kind{
	Activity: action("teardown", "terminates and removes all resources of the attempt"),
	make:     func(arguments) (Probe, error) { return teardown{}, nil },
}

// instantiatingPatience bounds how long a teardown waits for an instantiate
// to end before it terminates in the middle of it.
const instantiatingPatience = 30 * time.Second

// Run goes round after round until nothing of the attempt is left, or only
// what it must not touch, or ctx ends.
func (teardown) Run(ctx context.Context, on Subject, observer Observer) Result {
	began := time.Now()
	if err := on.settle(ctx, observer); err != nil {
		return errored(err)
	}
	if on.Existing {
		return leave(ctx, on, observer)
	}
	r := newRemoval(on, observer)
	err := r.run(ctx)
	result := r.result(time.Since(began))
	if err != nil {
		result.Conclusion = Errored
		result.Message += ": " + err.Error()
	}
	return result
}

// removal is the removal of one attempt's resources.
type removal struct {
	on       Subject
	observer Observer
	apps     []string
	removed  int
	deleted  map[string]bool   // anchors that a DELETE of ours was sent for
	reported map[string]bool   // anchors reported as removed
	kept     map[string]string // anchors of what is not ours, with the reason
	pending  []string          // anchors that the last round could not remove
	reasons  map[string]string // why, by anchor
}

func newRemoval(on Subject, observer Observer) *removal {
	return &removal{
		on: on, observer: observer, apps: slices.Clone(on.Setup.Apps),
		deleted: map[string]bool{}, reported: map[string]bool{}, kept: map[string]string{}, reasons: map[string]string{},
	}
}

// run removes what can be removed and reports what is left.
func (r *removal) run(ctx context.Context) error {
	var err error
	for err = range poll(ctx, r.on.Setup.growing(), r.round) {
		if err != nil || len(r.pending) == 0 {
			break
		}
	}
	for _, anchor := range r.pending {
		r.observer.Resource(Resource{Anchor: anchor, State: Left, Reason: r.reasons[anchor]})
	}
	for _, anchor := range sortedKeys(r.kept) {
		r.observer.Resource(Resource{Anchor: anchor, State: Left, Reason: r.kept[anchor]})
	}
	return err
}

func (r *removal) result(took time.Duration) Result {
	left := append(sortedKeys(r.kept), r.pending...)
	result := Result{
		Conclusion: Passed,
		Message:    fmt.Sprintf("%d resources removed in %s", r.removed, shown(took)),
		Evidence:   map[string]string{"removed": strconv.Itoa(r.removed), "left": strconv.Itoa(len(left))},
	}
	if len(left) > 0 {
		result.Conclusion = Errored
		result.Message += fmt.Sprintf(", %d left, such as %s", len(left), left[0])
		if reason := or(r.kept[left[0]], r.reasons[left[0]]); reason != "" {
			result.Message += " (" + reason + ")"
		}
	}
	return result
}

// later says why a resource is still there; the next round tries again.
func (r *removal) later(anchor, reason string) {
	if !slices.Contains(r.pending, anchor) {
		r.pending = append(r.pending, anchor)
	}
	r.reasons[anchor] = reason
}

// keep says that a resource must not be removed, nor what it lies in.
func (r *removal) keep(anchor, reason string) {
	if _, ok := r.kept[anchor]; !ok {
		r.kept[anchor] = reason
	}
}

// round looks for what is there and tries once to remove each piece.
func (r *removal) round(ctx context.Context) error {
	r.pending = nil
	found, err := r.find(ctx)
	if err != nil {
		return err
	}
	for _, template := range []string{"{dig}", "{logicalCloud}", "{project}"} {
		// As long as it is not known what is there, nothing is touched: a
		// cluster must not go before what is deployed on it.
		if anchor := r.on.Names.Anchor(template); slices.Contains(r.pending, anchor) {
			r.waitFor(template, found, r.reasons[anchor])
			return nil
		}
	}
	// EMCO terminates a logical cloud only when no DIG is on it, and what
	// either rests on must stay until it is terminated.
	if reason, err := r.quiet(ctx, found, emco.DeploymentIntentGroup, "dig.instantiate", "dig.terminate"); err != nil || reason != "" {
		r.waitFor("{dig}", found, reason)
		return err
	}
	dig := r.on.Names.Anchor("{dig}")
	found, err = r.delete(ctx, found, func(f emco.Resource) bool { return f.Anchor == dig || below(f.Anchor, []string{dig}) })
	if err != nil {
		return err
	}
	if reason := r.reasons[dig]; reason != "" && has(found, emco.DeploymentIntentGroup) {
		r.waitFor("{dig}", found, reason)
		return nil
	}
	if reason, err := r.quiet(ctx, found, emco.LogicalCloud, "logical-cloud.instantiate", "logical-cloud.terminate"); err != nil || reason != "" {
		r.waitFor("{logicalCloud}", found, reason)
		return err
	}
	_, err = r.delete(ctx, found, func(emco.Resource) bool { return true })
	return err
}

func has(resources []emco.Resource, kind emco.Kind) bool {
	return slices.ContainsFunc(resources, func(r emco.Resource) bool { return r.Kind == kind })
}

// waitFor leaves all that was found to the next round, because of one that
// could not be terminated or removed in this one.
func (r *removal) waitFor(template string, found []emco.Resource, reason string) {
	anchor := r.on.Names.Anchor(template)
	for _, f := range found {
		if f.Anchor != anchor {
			r.later(f.Anchor, "it waits for "+anchor)
		}
	}
	r.later(anchor, reason)
}

// find lists what is there, parents first, without what is not ours.
func (r *removal) find(ctx context.Context) ([]emco.Resource, error) {
	if err := r.findApps(ctx); err != nil {
		return nil, err
	}
	var found []emco.Resource
	var missing []string
	silent := map[emco.Service]string{} // services that did not answer
	for _, resource := range r.on.Names.Resources(emco.Material{Apps: r.apps}) {
		if below(resource.Anchor, missing) {
			r.gone(resource.Anchor)
			continue
		}
		if _, ok := r.kept[resource.Anchor]; ok {
			continue
		}
		service := emco.ServiceOf(resource.Anchor)
		if reason, ok := silent[service]; ok {
			r.later(resource.Anchor, reason)
			continue
		}
		answer := r.on.get(ctx, resource.Anchor)
		if answer.err != nil {
			return nil, answer.err
		}
		if !answer.Outcome.Answered() {
			silent[service] = "GET: " + answer.String()
		}
		switch {
		case answer.Missing():
			missing = append(missing, resource.Anchor)
			r.gone(resource.Anchor)
		case answer.Outcome.Kind != emco.Accepted:
			r.later(resource.Anchor, "GET: "+answer.String())
		case resource.Unmarked && below(resource.Anchor, sortedKeys(r.kept)):
			r.keep(resource.Anchor, "it has no mark, and lies in what does not carry the mark "+r.on.Names.Mark())
		case !ours(r.on.Names, resource, answer.Answer):
			r.keep(resource.Anchor, fmt.Sprintf("it does not carry the mark %s", r.on.Names.Mark()))
		default:
			found = append(found, resource)
		}
	}
	// What holds something that stays has to stay too.
	return slices.DeleteFunc(found, func(f emco.Resource) bool {
		for _, anchor := range sortedKeys(r.kept) {
			if strings.HasPrefix(anchor, f.Anchor+"/") {
				r.keep(f.Anchor, "it holds "+anchor)
				return true
			}
		}
		return false
	}), nil
}

// findApps adds the apps that EMCO lists: the target may have named others
// when they were made.
func (r *removal) findApps(ctx context.Context) error {
	answer := r.on.get(ctx, r.on.Names.Anchor("{compositeApp}/apps"))
	if answer.err != nil {
		return answer.err
	}
	list, _ := answer.List()
	for _, app := range list {
		if r.on.Names.CheckApp(app.Name) == nil && !slices.Contains(r.apps, app.Name) {
			r.apps = append(r.apps, app.Name)
		}
	}
	return nil
}

func below(anchor string, parents []string) bool {
	return slices.ContainsFunc(parents, func(p string) bool { return strings.HasPrefix(anchor, p+"/") })
}

// gone counts a resource as removed if we asked for that.
func (r *removal) gone(anchor string) {
	if r.deleted[anchor] && !r.reported[anchor] {
		r.reported[anchor] = true
		r.removed++
		r.observer.Resource(Resource{Anchor: anchor, State: Removed})
	}
}

// delete deletes those of the resources that are wanted, children first, and
// returns the others and those that are still there.
func (r *removal) delete(ctx context.Context, found []emco.Resource, wanted func(emco.Resource) bool) ([]emco.Resource, error) {
	var rest []emco.Resource
	for _, resource := range slices.Backward(found) {
		if !wanted(resource) {
			rest = append(rest, resource)
			continue
		}
		if ctx.Err() != nil {
			r.later(resource.Anchor, "there was no time left")
			rest = append(rest, resource)
			continue
		}
		r.deleted[resource.Anchor] = true
		answer := r.on.send(ctx, emco.Delete(resource.Anchor))
		if answer.err != nil {
			return nil, answer.err
		}
		if answer.Outcome.Kind == emco.Accepted || answer.Missing() {
			r.gone(resource.Anchor)
			continue
		}
		r.later(resource.Anchor, "DELETE: "+answer.String())
		rest = append(rest, resource)
	}
	slices.Reverse(rest)
	return rest, nil
}

// quiet terminates a DIG or logical cloud that is instantiated and waits for
// what is under way. It returns why that cannot be done now, if so.
func (r *removal) quiet(ctx context.Context, found []emco.Resource, kind emco.Kind, up, down string) (reason string, err error) {
	if !has(found, kind) {
		return "", nil
	}
	instantiate, _ := emco.CallNamed(up)
	terminate, _ := emco.CallNamed(down)
	seen := r.on.read(ctx, instantiate)
	if seen.err != nil {
		return "", seen.err
	}
	reading := seen.reading
	r.observer.Note(seen.Ended, fmt.Sprintf("teardown: %s: %s", seen.Request.Anchor, seen.note))
	if reading.Progress == emco.Unknown {
		return reading.Text, nil
	}
	last, _ := reading.Status.LastAction()
	switch last.State {
	case emco.Instantiated:
		limited, cancel := context.WithTimeout(ctx, instantiatingPatience)
		defer cancel()
		if _, err := r.on.await(limited, instantiate, r.observer, func(reading emco.Reading) bool { return reading.Status.Final() }); err != nil {
			return "", err
		}
		issue := &issuing{on: r.on, call: terminate, observer: r.observer, patience: instantiatingPatience}
		if err := issue.run(ctx); err != nil {
			// The next round begins anew, from the status.
			return err.Error(), nil
		}
	case emco.Terminated:
	default:
		// Never instantiated, or approved anew since it was terminated.
		return "", nil
	}
	final, err := r.on.await(ctx, terminate, r.observer, ended)
	if err != nil {
		return "", err
	}
	if !ended(final) {
		return "status says " + describe(final), nil
	}
	return "", nil
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
