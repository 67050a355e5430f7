package emcoctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Delete takes resources back in the reverse order, as emcoctl does: what was
// instantiated is terminated, other calls are left out, and the rest is deleted.
// It leaves what [Apply] has not made. What something hangs on it does not touch
// either: EMCO can destroy what it refuses to delete. It returns an error that
// wraps [ErrRefused] or [ErrUnreachable].
func Delete(ctx context.Context, client *emco.Client, resources []Resource, options Options, observer Observer) error {
	o := operation{client: client, options: options, observer: observer}
	for _, resource := range resources {
		o.named = append(o.named, resource.Own())
	}
	backwards := slices.Clone(resources)
	slices.Reverse(backwards)
	return o.all(ctx, backwards, o.delete)
}

// mark is in the userData2 of what Apply makes.
const mark = "made by emco-chaos apply"

// marked is the resource with the mark, if its kind has metadata.
func (r Resource) marked() Resource {
	if r.Name() != "" && r.Metadata != nil {
		metadata := *r.Metadata
		metadata.UserData2 = strings.TrimSpace(metadata.UserData2 + " " + mark)
		r.Metadata = &metadata
	}
	return r
}

func (o *operation) delete(ctx context.Context, resource Resource) Step {
	call := resource.Call()
	step := Step{Anchor: cmp.Or(resource.Own(), resource.on())}
	if call != "" && call != "instantiate" && call != "apply" {
		return Step{Anchor: resource.Anchor, Verdict: Skipped, Text: "there is nothing to take back from " + path.Base(resource.Anchor)}
	}
	if step = o.mayTouch(ctx, step, step.Anchor); step.Verdict != "" {
		return step
	}
	hanging, err := o.hanging(ctx, step.Anchor, call == "")
	switch {
	case errors.Is(err, ErrUnreachable):
		return step.end(Unreachable, err.Error())
	case err != nil:
		return step.end(Refused, "left as it is, because what hangs on it cannot be read: "+err.Error())
	case len(hanging) > 0:
		return step.end(Refused, "left as it is, because EMCO could destroy it: "+o.told(hanging))
	case call == "apply":
		return o.send(ctx, emco.Post(step.Anchor+"/terminate"))
	case call != "":
		return o.terminate(ctx, step.Anchor+"/terminate")
	}
	if state := o.deployed(ctx, step.Anchor); state != "" {
		return step.end(Refused, "left as it is, because EMCO could destroy it: "+state)
	}
	sent := o.send(ctx, emco.Delete(step.Anchor))
	if sent.Verdict == Refused && sent.Answer.Missing() {
		return o.already(sent, "was not there")
	}
	return sent
}

// mayTouch ends the step unless the resource at the anchor is there, and is to
// be taken back: Apply has marked it, or the options name it. Labels
// and app intents have no mark, and belong to who made what they are in.
func (o *operation) mayTouch(ctx context.Context, step Step, anchor string) Step {
	answer, err := o.client.Do(ctx, emco.Get(anchor))
	if err != nil {
		return step.end(Unreachable, err.Error())
	}
	resource, read := answer.Found()
	also := func(named string) bool { return anchor == named || strings.HasPrefix(anchor, named+"/") }
	switch {
	case answer.Missing():
		return o.already(step, "was not there")
	case !read:
		step.Answer = &answer
		o.observer.Call(step.Anchor, answer)
		return step.end(verdictOf(answer), "GET: "+answer.String())
	case slices.ContainsFunc(o.options.Also, also):
		return step
	case strings.Contains(strings.Split(anchor, "/")[0], "controllers"):
		return step.end(Skipped, "is left: all users of this EMCO share it; --also "+anchor+" deletes it too")
	case slices.Contains([]string{"labels", "app-intents"}, path.Base(path.Dir(anchor))):
		return o.mayTouch(ctx, step, path.Dir(path.Dir(anchor)))
	case !strings.HasSuffix(resource.Metadata.UserData2, mark):
		return step.end(Skipped, fmt.Sprintf("is left: emco-chaos apply did not make %s; --also %s deletes it too", anchor, anchor))
	}
	return step
}

// hanging are the resources that are below another one, if below is set, or
// that refer to it.
func (o *operation) hanging(ctx context.Context, anchor string, below bool) ([]string, error) {
	var list, users []emco.Found
	var err error
	if below {
		list, err = o.list(ctx, emco.Collections(anchor)...)
	}
	in, name := path.Dir(path.Dir(anchor)), path.Base(anchor)
	switch kind := path.Base(path.Dir(anchor)); {
	case err != nil:
	case kind == "logical-clouds":
		users, err = o.lists(ctx, in+"/composite-apps", "/deployment-intent-groups")
		users = slices.DeleteFunc(users, func(group emco.Found) bool { return group.Spec.LogicalCloud != name })
	case kind == "clusters":
		users, err = o.lists(ctx, "projects", "/logical-clouds", "/cluster-references")
		users = slices.DeleteFunc(users, func(reference emco.Found) bool {
			return reference.Spec.Cluster != name || reference.Spec.ClusterProvider != path.Base(in)
		})
	}
	var anchors []string
	for _, one := range append(list, users...) {
		anchors = append(anchors, one.Anchor)
	}
	return anchors, err
}

// lists lists a collection, the collections in each of its resources, and so on.
func (o *operation) lists(ctx context.Context, collection string, inner ...string) ([]emco.Found, error) {
	list, err := o.list(ctx, collection)
	for _, name := range inner {
		var collections []string
		for _, resource := range list {
			collections = append(collections, resource.Anchor+name)
		}
		if err == nil {
			list, err = o.list(ctx, collections...)
		}
	}
	return list, err
}

func (o *operation) list(ctx context.Context, collections ...string) ([]emco.Found, error) {
	var all []emco.Found
	for _, collection := range collections {
		if !o.client.Reaches(emco.ServiceOf(collection)) {
			continue
		}
		answer, err := o.client.Do(ctx, emco.Get(collection))
		if err != nil {
			return nil, err
		}
		list, ok := answer.Children()
		switch {
		case !answer.Outcome.Answered():
			return nil, fmt.Errorf("GET %s: %s: %w", collection, answer, ErrUnreachable)
		case !ok:
			return nil, fmt.Errorf("GET %s: %s", collection, answer)
		}
		all = append(all, list...)
	}
	return all, nil
}

// told names what hangs on a resource for a message.
func (o *operation) told(hanging []string) string {
	text := document.Shown(strings.Join(hanging[:min(3, len(hanging))], ", "))
	if more := len(hanging) - 3; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	if slices.ContainsFunc(hanging, func(anchor string) bool { return !slices.Contains(o.named, anchor) }) {
		return text + " hangs on it, and the files do not name it"
	}
	return text + " hangs on it, and stayed"
}

// deployed says why EMCO would refuse to delete a logical cloud or a deployment
// intent group, or a reference of one: it is deployed, or its status tells
// nothing. Else it is empty.
func (o *operation) deployed(ctx context.Context, anchor string) string {
	anchors := []string{anchor, strings.TrimSuffix(anchor, "/cluster-references/"+path.Base(anchor))}
	for _, anchor := range slices.Compact(anchors) {
		call := trackedAt(anchor + "/terminate")
		if call == nil {
			continue
		}
		reading, _, err := o.read(ctx, call)
		gone := reading.Progress == emco.GaveUp || reading.Status.Deployed == emco.Terminated || reading.Status.ContextID == ""
		switch {
		case err != nil:
			return err.Error()
		case reading.Progress == emco.Unknown || !gone:
			return fmt.Sprintf("the status of %s says %s; name the file with its instantiate too", anchor, reading.Text)
		}
	}
	return ""
}

// terminate terminates and waits: EMCO deletes nothing that is deployed.
func (o *operation) terminate(ctx context.Context, anchor string) Step {
	call := trackedAt(anchor)
	if call == nil {
		return o.send(ctx, emco.Post(anchor))
	}
	step := Step{Anchor: anchor}
	reading, answer, err := o.read(ctx, call)
	switch {
	case err != nil:
		return step.end(Unreachable, err.Error())
	case !answer.Outcome.Answered():
		o.observer.Call(answer.Request.Anchor, answer)
		step.Answer = &answer
		return step.end(Unreachable, answer.String())
	case reading.Progress == emco.Done:
		return o.already(step, "was terminated already")
	case reading.Progress == emco.UnderWay && reading.Ours:
		return o.follow(ctx, step.end(Already, "is being terminated already"), call)
	case reading.Progress != emco.Unknown && reading.Status.ContextID == "":
		// EMCO accepts the terminate of a logical cloud that was never
		// instantiated, and then does nothing.
		return step.end(Skipped, "was never instantiated")
	}
	return o.follow(ctx, o.send(ctx, emco.Post(anchor)), call)
}
