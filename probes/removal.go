package probes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// instantiatingPatience bounds how long a removal waits for an instantiate to
// end before it terminates in the middle of it.
const instantiatingPatience = 30 * time.Second

// removal removes the resources of one attempt after the other.
type removal struct {
	task
	began   time.Time
	removed int
	left    []Resource

	// What follows is of the attempt that is being removed.

	apps    []string
	deleted map[string]bool // anchors that a DELETE was sent for
	kept    []Resource      // what is not ours
	pending []Resource      // what the last round could not remove
}

func newRemoval(t task) *removal { return &removal{task: t, began: time.Now()} }

// attempt removes what can be removed of one attempt, and reports what is
// left.
func (r *removal) attempt(ctx context.Context, names emco.Names) error {
	r.Names, r.apps = names, slices.Clone(r.Setup.Apps)
	r.deleted, r.kept, r.pending = map[string]bool{}, nil, nil
	var err error
	for err = range poll(ctx, r.Setup.growing(), r.round) {
		if err != nil || len(r.pending) == 0 {
			break
		}
	}
	for _, resource := range slices.Concat(r.kept, r.pending) {
		r.leave(resource.Anchor, resource.Reason)
	}
	return err
}

func (r *removal) leave(anchor, reason string) {
	resource := Resource{Anchor: anchor, State: Left, Reason: reason}
	r.left = append(r.left, resource)
	r.Resource(resource)
}

// result is what came of the removal of what.
func (r *removal) result(what string, errs ...error) Result {
	result := Result{
		Conclusion: Passed,
		Message:    fmt.Sprintf("%d resources%s removed in %s", r.removed, what, shown(time.Since(r.began))),
		Evidence:   map[string]string{"removed": strconv.Itoa(r.removed), "left": strconv.Itoa(len(r.left))},
	}
	if len(r.left) > 0 {
		result.Conclusion = Errored
		result.Message += fmt.Sprintf(", %d left, such as %s", len(r.left), r.left[0].Anchor)
		if reason := r.left[0].Reason; reason != "" {
			result.Message += " (" + reason + ")"
		}
	}
	if err := errors.Join(errs...); err != nil {
		result.Conclusion = Errored
		result.Message += ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return result
}

// note records a resource with the reason for which it is not removed, once.
func note(list *[]Resource, anchor, reason string) {
	if _, ok := reasonFor(*list, anchor); !ok {
		*list = append(*list, Resource{Anchor: anchor, Reason: reason})
	}
}

func reasonFor(list []Resource, anchor string) (string, bool) {
	i := slices.IndexFunc(list, func(r Resource) bool { return r.Anchor == anchor })
	if i < 0 {
		return "", false
	}
	return list[i].Reason, true
}

// later records why a resource is still there; the next round tries again.
func (r *removal) later(anchor, reason string) { note(&r.pending, anchor, reason) }

// keep records why a resource must not be removed, nor what it lies in.
func (r *removal) keep(anchor, reason string) { note(&r.kept, anchor, reason) }

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
		anchor := r.Names.Anchor(template)
		if reason, unknown := reasonFor(r.pending, anchor); unknown {
			r.waitFor(anchor, found, reason)
			return nil
		}
	}
	// EMCO terminates a logical cloud only when no group is on it, and what
	// either rests on must stay until it is terminated.
	for _, l := range slices.Backward(lifecycles) {
		anchor := r.Names.Anchor(l.word)
		reason, err := r.quiesce(ctx, found, l)
		if err != nil || reason != "" {
			r.waitFor(anchor, found, reason)
			return err
		}
		found, err = r.delete(ctx, found, func(f emco.Resource) bool {
			return l.kind == emco.LogicalCloud || f.Anchor == anchor || below(f.Anchor, anchor)
		})
		if err != nil {
			return err
		}
		if reason, stays := reasonFor(r.pending, anchor); stays {
			r.waitFor(anchor, found, reason)
			return nil
		}
	}
	return nil
}

// waitFor leaves all that was found to the next round, because of one that
// could not be terminated or removed in this one.
func (r *removal) waitFor(anchor string, found []emco.Resource, reason string) {
	r.later(anchor, reason)
	for _, f := range found {
		r.later(f.Anchor, "it waits for "+anchor)
	}
}

// find lists what is there, parents first, without what is not ours.
func (r *removal) find(ctx context.Context) ([]emco.Resource, error) {
	if err := r.findApps(ctx); err != nil {
		return nil, err
	}
	var found []emco.Resource
	var missing []string
	silent := map[emco.Service]string{} // services that did not answer
	for _, resource := range r.Names.Resources(emco.Material{Apps: r.apps}) {
		if below(resource.Anchor, missing...) {
			r.gone(resource.Anchor)
			continue
		}
		if _, kept := reasonFor(r.kept, resource.Anchor); kept {
			continue
		}
		service := emco.ServiceOf(resource.Anchor)
		if reason, ok := silent[service]; ok {
			r.later(resource.Anchor, reason)
			continue
		}
		answer := r.get(ctx, resource.Anchor)
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
		case resource.Unmarked && below(resource.Anchor, anchors(r.kept)...):
			r.keep(resource.Anchor, "it has no mark, and lies in what does not carry the mark "+r.Names.Mark())
		case !ours(r.Names, resource, answer.Answer):
			r.keep(resource.Anchor, "it does not carry the mark "+r.Names.Mark())
		default:
			found = append(found, resource)
		}
	}
	// What holds something that stays has to stay too.
	return slices.DeleteFunc(found, func(f emco.Resource) bool {
		i := slices.IndexFunc(r.kept, func(kept Resource) bool { return below(kept.Anchor, f.Anchor) })
		if i >= 0 {
			r.keep(f.Anchor, "it holds "+r.kept[i].Anchor)
		}
		return i >= 0
	}), nil
}

// findApps adds the apps that EMCO lists: the target may have named others
// when they were made.
func (r *removal) findApps(ctx context.Context) error {
	answer := r.get(ctx, r.Names.Anchor("{compositeApp}/apps"))
	list, _ := answer.List()
	for _, app := range list {
		if name := app.Metadata.Name; r.Names.CheckApp(name) == nil && !slices.Contains(r.apps, name) {
			r.apps = append(r.apps, name)
		}
	}
	return answer.err
}

// below reports whether an anchor lies below one of the parents.
func below(anchor string, parents ...string) bool {
	return slices.ContainsFunc(parents, func(p string) bool { return strings.HasPrefix(anchor, p+"/") })
}

func anchors(list []Resource) []string {
	var anchors []string
	for _, resource := range list {
		anchors = append(anchors, resource.Anchor)
	}
	return anchors
}

// gone counts a resource as removed if we asked for that.
func (r *removal) gone(anchor string) {
	if r.deleted[anchor] {
		delete(r.deleted, anchor)
		r.removed++
		r.Resource(Resource{Anchor: anchor, State: Removed})
	}
}

// delete deletes those of the resources that are wanted, children first, and
// returns the others and those that are still there.
func (r *removal) delete(ctx context.Context, found []emco.Resource, wanted func(emco.Resource) bool) ([]emco.Resource, error) {
	var rest []emco.Resource
	for _, resource := range slices.Backward(found) {
		switch {
		case !wanted(resource):
		case ctx.Err() != nil:
			r.later(resource.Anchor, "there was no time left")
		case r.holds(resource.Anchor):
		default:
			r.deleted[resource.Anchor] = true
			answer := r.send(ctx, emco.Delete(resource.Anchor))
			if answer.err != nil {
				return nil, answer.err
			}
			if answer.Outcome.Kind == emco.Accepted || answer.Missing() {
				r.gone(resource.Anchor)
				continue
			}
			r.later(resource.Anchor, "DELETE: "+answer.String())
		}
		rest = append(rest, resource)
	}
	slices.Reverse(rest)
	return rest, nil
}

// holds reports, and records, whether something below a resource is still
// there. EMCO refuses to delete the resource then, and can destroy it all the
// same.
func (r *removal) holds(anchor string) bool {
	i := slices.IndexFunc(r.pending, func(p Resource) bool { return below(p.Anchor, anchor) })
	if i >= 0 {
		r.later(anchor, "it holds "+r.pending[i].Anchor)
	}
	return i >= 0
}

// quiesce terminates what is instantiated and waits for what is under way. It
// returns why that cannot be done now, if so.
func (r *removal) quiesce(ctx context.Context, found []emco.Resource, l lifecycle) (reason string, err error) {
	if !slices.ContainsFunc(found, func(f emco.Resource) bool { return f.Kind == l.kind }) {
		return "", nil
	}
	instantiate, terminate := callNamed(l.instantiate), callNamed(l.terminate)
	seen := r.read(ctx, instantiate)
	if seen.err != nil {
		return "", seen.err
	}
	r.Note(seen.Ended, fmt.Sprintf("teardown: %s: %s", seen.Request.Anchor, seen.note))
	if seen.reading.Progress == emco.Unknown {
		return seen.reading.Text, nil
	}
	switch seen.reading.Status.LastAction() {
	case emco.Instantiated:
		limited, cancel := context.WithTimeout(ctx, instantiatingPatience)
		defer cancel()
		if _, err := r.await(limited, instantiate, func(reading emco.Reading) bool { return reading.Status.Final() }); err != nil {
			return "", err
		}
		issue := &issuing{task: r.task, call: terminate, patience: instantiatingPatience}
		if err := issue.run(ctx); err != nil {
			// The next round begins anew, from the status.
			return err.Error(), nil
		}
	case emco.Terminated:
	default:
		// Never instantiated, or approved anew since it was terminated.
		return "", nil
	}
	final, err := r.await(ctx, terminate, ended)
	if err == nil && !ended(final) {
		reason = "status says " + describe(final)
	}
	return reason, err
}
