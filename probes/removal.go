package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// instantiatingPatience bounds the wait for an instantiate to end by itself.
const instantiatingPatience = 30 * time.Second

// removal removes the resources of attempts, one attempt after the other.
type removal struct {
	task
	began   time.Time
	removed int
	left    stays
	wedges  []*wedge
	own     bool // it is the run's own, which tells of all that it made

	// Of the attempt that is being removed:
	apps    []string
	deleted map[string]bool // anchors that a DELETE was sent for
	found   []string        // the anchors of what is there and ours, parents first
	kept    stays           // not ours, holds what is not ours, or wedged
	pending stays           // not removed in the last round
	suspect *wedge          // whose status and calls are refused: DELETE decides
}

// stays are resources that are not removed, each once, with the reasons.
type stays []Resource

func (s *stays) add(anchor, reason string) {
	if !s.at(anchor) {
		*s = append(*s, Resource{Anchor: anchor, State: Left, Reason: reason})
	}
}

func (s stays) at(anchor string) bool {
	return slices.ContainsFunc(s, func(r Resource) bool { return r.Anchor == anchor })
}

// hold reports whether one of them holds what is at the anchor.
func (s stays) hold(anchor string) bool {
	return slices.ContainsFunc(s, func(r Resource) bool { return below(anchor, r.Anchor) })
}

// in is the anchor of the first that lies in a resource; empty if none does.
func (s stays) in(parent string) string {
	for _, r := range s {
		if below(r.Anchor, parent) {
			return r.Anchor
		}
	}
	return ""
}

func below(anchor, parent string) bool { return strings.HasPrefix(anchor, parent+"/") }

func inside(anchor, parent string) bool { return anchor == parent || below(anchor, parent) }

func (r *removal) attempt(ctx context.Context, names emco.Names) error {
	r.Names, r.apps = names, slices.Clone(r.Setup.Apps)
	r.deleted, r.kept, r.pending, r.suspect = map[string]bool{}, nil, nil, nil
	var err error
	for err = range poll(ctx, r.Setup.pace(pace{longest: longestInterval}), r.round) {
		if err != nil || len(r.pending) == 0 {
			break
		}
	}
	for _, resource := range slices.Concat(r.kept, r.pending) {
		switch {
		case resource.Reason != blocked:
			r.leave(resource)
		case r.own:
			r.Resource(resource)
		}
	}
	return err
}

func (r *removal) leave(resource Resource) {
	r.left = append(r.left, resource)
	r.Resource(resource)
}

// result sums up the removal; of names what was removed, if not one attempt.
func (r *removal) result(of string, errs ...error) Result {
	result := Result{
		Conclusion: Passed,
		Message:    fmt.Sprintf("%d resources%s removed in %s", r.removed, of, rounded(time.Since(r.began))),
		Evidence:   map[string]string{"removed": strconv.Itoa(r.removed), "left": strconv.Itoa(len(r.left))},
	}
	if len(r.left) > 0 {
		result.Conclusion = Errored
		result.Message += fmt.Sprintf(", %d left, such as %s", len(r.left), r.left[0].Anchor)
		if reason := r.left[0].Reason; reason != "" {
			result.Message += " (" + reason + ")"
		}
	}
	maps.Copy(result.Evidence, wedgeEvidence(r.wedges...))
	if err := errors.Join(errs...); err != nil {
		result.Conclusion = Errored
		result.Message += ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return result
}

// round looks for what is there and tries once to remove each piece.
func (r *removal) round(ctx context.Context) error {
	before := r.pending
	r.pending = nil
	if err := r.find(ctx); err != nil {
		return err
	}
	if over(ctx) && len(before) > 0 {
		// What the last round left is known better than what ctx cut short.
		r.pending = before
		return nil
	}
	anchors := []string{r.Names.Anchor("{project}")}
	for _, l := range lifecycles {
		anchors = append(anchors, l.anchor(r.Names))
	}
	for _, anchor := range slices.Backward(anchors) {
		// A cluster must not go before what is deployed on it.
		if r.pending.at(anchor) {
			r.waitFor(anchor)
			return nil
		}
	}
	// EMCO terminates a logical cloud only when no group is on it, and what
	// either rests on must stay until it is terminated.
	for i, l := range slices.Backward(lifecycles) {
		anchor := anchors[i+1]
		for _, group := range anchors[2:] {
			if l.kind == emco.LogicalCloud && r.kept.at(group) {
				r.block(group, "")
			}
		}
		reason, err := r.quiesce(ctx, l)
		if err != nil || reason != "" {
			r.pending.add(anchor, reason)
		} else {
			err = r.delete(ctx, l)
		}
		if err != nil || r.pending.at(anchor) {
			r.waitFor(anchor)
			return err
		}
	}
	return nil
}

func (r *removal) waitFor(anchor string) {
	for _, f := range r.found {
		r.pending.add(f, "it waits for "+anchor)
	}
}

const blocked = "what is wedged, or holds something of others, blocks it"

// block keeps all that was found, because of one that stays: EMCO lets go of nothing that it rests on.
func (r *removal) block(anchor, reason string) {
	r.kept.add(anchor, fmt.Sprintf("%s; %d more of the attempt stay because of it", reason, len(r.found)))
	for _, f := range r.found {
		r.kept.add(f, blocked)
	}
	r.found = nil
}

func (r *removal) find(ctx context.Context) error {
	if err := r.findApps(ctx); err != nil {
		return err
	}
	r.found = nil
	var missing stays
	silent := map[emco.Service]string{} // services that did not answer
	for _, resource := range r.Names.All(emco.Material{Apps: r.apps}) {
		anchor, service := resource.Anchor, emco.ServiceOf(resource.Anchor)
		switch {
		case missing.hold(anchor):
			r.gone(anchor)
			continue
		case r.kept.at(anchor):
			continue
		case silent[service] != "":
			r.pending.add(anchor, silent[service])
			continue
		}
		answer := r.get(ctx, anchor)
		if answer.err != nil {
			return answer.err
		}
		if !answer.Outcome.Answered() {
			silent[service] = "GET: " + answer.String()
		}
		switch {
		case answer.Missing():
			missing.add(anchor, "")
			r.gone(anchor)
		case answer.Outcome.Kind != emco.Accepted:
			r.pending.add(anchor, "GET: "+answer.String())
		case resource.Unmarked() && r.kept.hold(anchor):
			r.kept.add(anchor, "it has no mark, and lies in what does not carry the mark "+r.Names.Mark())
		case !ours(r.Names, resource, answer.Answer):
			r.kept.add(anchor, "it does not carry the mark "+r.Names.Mark())
		default:
			r.found = append(r.found, anchor)
		}
	}
	// What holds something that is kept has to stay too.
	r.found = slices.DeleteFunc(r.found, func(anchor string) bool {
		child := r.kept.in(anchor)
		if child != "" {
			r.kept.add(anchor, "it holds "+child)
		}
		return child != ""
	})
	return nil
}

// findApps adds the apps that EMCO lists: the target may have named others before.
func (r *removal) findApps(ctx context.Context) error {
	for _, names := range r.Names.Groups() {
		answer := r.get(ctx, names.Anchor("{compositeApp}/apps"))
		if answer.err != nil {
			return answer.err
		}
		list, _ := answer.List()
		for _, app := range list {
			if name := app.Metadata.Name; names.CheckApp(name) == nil && !slices.Contains(r.apps, name) {
				r.apps = append(r.apps, name)
			}
		}
	}
	return nil
}

func (r *removal) gone(anchor string) {
	if r.deleted[anchor] {
		delete(r.deleted, anchor)
		r.removed++
		r.Resource(Resource{Anchor: anchor, State: Removed})
	}
}

// delete deletes what was found of a group, or with the logical cloud all, children first.
func (r *removal) delete(ctx context.Context, l lifecycle) error {
	for _, anchor := range slices.Backward(slices.Clone(r.found)) {
		if l.kind != emco.LogicalCloud && !inside(anchor, l.anchor(r.Names)) {
			continue
		}
		if ctx.Err() != nil {
			r.pending.add(anchor, "there was no time left")
			continue
		}
		if holds, err := r.holds(ctx, anchor); err != nil {
			return err
		} else if holds != "" {
			// EMCO refuses to delete it then, and can destroy it all the same.
			r.pending.add(anchor, holds)
			continue
		}
		r.deleted[anchor] = true
		answer := r.send(ctx, emco.Delete(anchor))
		w := r.suspect
		switch {
		case answer.err != nil:
			return answer.err
		case answer.Outcome.Kind == emco.Accepted || answer.Missing():
			r.gone(anchor)
			r.found = slices.DeleteFunc(r.found, func(found string) bool { return found == anchor })
		case w != nil && answer.Outcome.Kind == emco.Rejected && inside(anchor, w.anchor):
			w.tried += fmt.Sprintf("; DELETE %s: %s", path.Base(anchor), answer)
			r.wedges = append(r.wedges, w)
			r.block(w.anchor, "wedged: "+w.tried)
			return nil
		default:
			r.pending.add(anchor, "DELETE: "+answer.String())
		}
	}
	return nil
}

// holds tells what lies below a resource, of this run or not, or that this cannot be told.
func (r *removal) holds(ctx context.Context, anchor string) (reason string, err error) {
	if child := cmp.Or(r.pending.in(anchor), r.kept.in(anchor)); child != "" {
		return "it holds " + child, nil
	}
	for _, list := range emco.Collections(anchor) {
		if !r.Client.Reaches(emco.ServiceOf(list)) {
			continue
		}
		answer := r.get(ctx, list)
		children, ok := answer.Children()
		switch {
		case answer.err != nil:
			return "", answer.err
		case len(children) > 0:
			name, whose := children[0].Name(), "which this run did not make"
			if strings.HasPrefix(name, r.Names.String()+"-") {
				whose = "which is still there after its DELETE"
			}
			reason = fmt.Sprintf("it holds %s/%s, %s", path.Base(list), document.Shown(name), whose)
			r.kept.add(anchor, reason)
			return reason, nil
		case !ok:
			return fmt.Sprintf("GET %s: %s", path.Base(list), answer), nil
		}
	}
	return "", nil
}

// quiesce terminates what is instantiated and waits for what is under way, or
// returns why that cannot be done now.
func (r *removal) quiesce(ctx context.Context, l lifecycle) (reason string, err error) {
	if !slices.Contains(r.found, l.anchor(r.Names)) {
		return "", nil
	}
	seen := r.read(ctx, l.instantiate)
	if seen.err != nil {
		return "", seen.err
	}
	r.Note(seen.Ended, fmt.Sprintf("teardown: %s: %s", seen.Request.Anchor, seen.note))
	last := seen.reading.Status.LastAction()
	unknown := seen.reading.Progress == emco.Unknown
	if before, ok := l.before[last]; ok {
		if err := r.issue(before, instantiatingPatience).run(ctx); err != nil {
			return err.Error(), nil
		}
		last = emco.Instantiated
	}
	switch {
	case unknown && !refuses(seen):
		return seen.reading.Text, nil
	case unknown, last == emco.Instantiated, last == emco.InstantiateStopped:
		limited, cancel := context.WithTimeout(ctx, instantiatingPatience)
		defer cancel()
		if !unknown {
			if _, err := r.await(limited, l.instantiate, func(reading emco.Reading) bool { return reading.Status.Final() }); err != nil {
				return "", err
			}
		}
		issue := r.issue(l.terminate, instantiatingPatience)
		if err := issue.run(ctx); err != nil && issue.wedge != nil {
			r.suspect = issue.wedge
			return "", nil
		} else if err != nil {
			// The next round begins anew, from the status.
			return err.Error(), nil
		}
	case last != emco.Terminated:
		// Never instantiated, or approved anew since it was terminated.
		return "", nil
	}
	final, err := r.await(ctx, l.terminate, ended)
	if err == nil && !ended(final) {
		reason = "status says " + describe(final)
	}
	return reason, err
}
