package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// Where says in which namespace a right is needed.
type Where string

const (
	InTarget     Where = "target"     // every namespace that the target has pods in
	InChaosMesh  Where = "chaos-mesh" // the namespace of Chaos Mesh
	InController Where = "controller" // the namespace of our controller
)

// Right is what we may have to do to one kind of resource.
type Right struct {
	Where           Where
	Group, Resource string
	Name            string // the only object that the right is needed on; empty is any
	Verbs           []string
	For             string // what cannot be done without it
	// Controller says that only the controller needs it, and Optional that
	// experiments can be run from the command line without it.
	Controller, Optional bool
}

// FullResource is the resource as kubectl names it.
func (r Right) FullResource() string {
	resource, sub, _ := strings.Cut(r.Resource, "/")
	return strings.TrimSuffix(schema.GroupResource{Group: r.Group, Resource: resource}.String()+"/"+sub, "/")
}

// Rights are all that emco-chaos does to a cluster, and what the chart's Roles grant.
func Rights() []Right {
	// We patch and do not update, but to Chaos Mesh's web hook, which asks once
	// more in each namespace that a fault selects pods in, a patch is an update.
	faults := []string{"create", "get", "list", "watch", "patch", "update", "delete"}
	var rights []Right
	for _, kind := range fault.Kinds() {
		rights = append(rights, Right{Where: InTarget, Group: fault.Group, Resource: kind.Resource(), Verbs: faults, For: "put faults on, watch them and remove them", Optional: kind.Optional})
		if kind.Kept != "" {
			rights = append(rights, Right{Where: InTarget, Group: fault.Group, Resource: kind.Kept, Verbs: []string{"get", "list"}, For: "see what is on the network of a pod"})
			rights = append(rights, Right{Where: InTarget, Group: fault.Group, Resource: kind.Kept, Verbs: []string{"patch"}, For: "free a pod of a fault that cannot be injected", Optional: true})
		}
	}
	return append(rights, []Right{
		{Where: InTarget, Resource: "pods", Verbs: []string{"list", "watch"}, For: "see what a fault selects, and when it goes and comes back"},
		{Where: InTarget, Group: "discovery.k8s.io", Resource: "endpointslices", Verbs: []string{"list", "watch"}, For: "tell which containers of a pod serve"},
		{Where: InTarget, Resource: "events", Verbs: []string{"list"}, For: "tell in Chaos Mesh's own words why a fault selects nothing", Optional: true},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"create"}, For: "keep two runs off one target"},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Name: lease.Name, Verbs: []string{"get", "update", "delete"}, For: "keep two runs off one target"},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Name: lease.Name, Verbs: []string{"list", "watch"}, For: "see that a run has died", Controller: true},
		{Where: InTarget, Resource: "events", Verbs: []string{"create", "patch"}, For: "write what happened on the faults, for the dashboard", Controller: true},
		{Where: InController, Group: fault.Group, Resource: "schedules", Verbs: []string{"get", "list", "watch", "patch"}, For: "be started from the dashboard again and again", Controller: true},
		{Where: InController, Group: fault.Group, Resource: "workflows", Verbs: []string{"get"}, For: "find the Schedule that a Run comes from", Controller: true},
		{Where: InController, Group: v1alpha1.GroupVersion.Group, Resource: "runs", Verbs: []string{"get", "list", "watch", "patch", "delete"}, For: "make Runs, and remove old ones", Controller: true},
		{Where: InController, Group: v1alpha1.GroupVersion.Group, Resource: "runs/status", Verbs: []string{"patch"}, For: "say what came of a Run", Controller: true},
		{Where: InController, Resource: "configmaps", Verbs: []string{"create"}, For: "keep the journal of a Run", Controller: true},
		{Where: InController, Resource: "configmaps", Name: controller.Schedules, Verbs: []string{"patch"}, For: "have the dashboard show that no controller is there", Controller: true, Optional: true},
		{Where: InController, Group: "coordination.k8s.io", Resource: "leases", Name: lease.Leader, Verbs: []string{"get", "update"}, For: "choose one of several controllers", Controller: true},
		{Where: InController, Resource: "events", Verbs: []string{"create", "patch"}, For: "write what happened, for the dashboard", Controller: true},
		{Where: InChaosMesh, Group: "apps", Resource: "deployments", Verbs: []string{"list"}, For: "let doctor say whether Chaos Mesh is ready", Optional: true},
		{Where: InChaosMesh, Resource: "pods", Verbs: []string{"list"}, For: "let doctor say whether chaos-daemon is ready", Optional: true},
	}...)
}

// places are where rights are looked at: the target's namespaces and our controller's.
// Those in Chaos Mesh's namespace show in the checks that need them.
func (e *examination) places() []string {
	places := e.namespaces()
	if e.Controller != "" && !slices.Contains(places, e.Controller) {
		places = append(places, e.Controller)
	}
	return places
}

// checkRights asks the API server for each right that we need in a place.
func checkRights(ctx context.Context, e *examination, place string) {
	subject, missing := "namespace "+place, false
	needed := map[Where]bool{InTarget: slices.Contains(e.namespaces(), place), InController: place == e.Controller}
	for _, right := range Rights() {
		if !needed[right.Where] || right.Controller && e.Controller == "" {
			continue
		}
		state := Fail
		if right.Optional {
			state = Warn
		}
		denied, why, err := e.deniedVerbs(ctx, right, place)
		switch {
		case err != nil:
			e.say(state, subject, "kubectl auth can-i --list", "the API server does not say what we may do: %v", cause(ctx, err))
			return
		case len(denied) > 0:
			missing = true
			e.denied[place+"/"+right.Resource] = true
			e.say(state, subject, e.grant(right, denied, place), "we may not %s %s, which is needed to %s%s", strings.Join(denied, ", "), right.FullResource(), right.For, why)
		}
	}
	if !missing {
		e.say(OK, subject, "", "we have every right that is needed there")
	}
}

// deniedVerbs are the verbs of a right that we do not have, and why not.
func (e *examination) deniedVerbs(ctx context.Context, right Right, namespace string) (verbs []string, why string, err error) {
	resource, sub, _ := strings.Cut(right.Resource, "/")
	for _, verb := range right.Verbs {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: right.Group, Resource: resource, Subresource: sub, Name: right.Name,
			},
		}}
		if err := e.Client.Create(ctx, review); err != nil {
			return nil, "", err
		}
		if review.Status.Allowed {
			continue
		}
		verbs = append(verbs, verb)
		if reason := cmp.Or(review.Status.Reason, review.Status.EvaluationError); why == "" && reason != "" {
			why = ": " + reason
		}
	}
	return verbs, why, nil
}

// grant are the commands that give us a right.
func (e *examination) grant(right Right, verbs []string, namespace string) string {
	name := "emco-chaos-" + verbs[0] + "-" + strings.ReplaceAll(right.Resource, "/", "-")
	what := fmt.Sprintf("--verb=%s --resource=%s", strings.Join(verbs, ","), right.FullResource())
	if right.Name != "" {
		what += " --resource-name=" + right.Name
	}
	return kubectl(namespace, fmt.Sprintf("create role %s %s", name, what), fmt.Sprintf("create rolebinding %[1]s --role=%[1]s %[2]s", name, e.self))
}
