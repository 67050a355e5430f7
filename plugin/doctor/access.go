package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// lookAtRights asks the API server for each right that we need. Of those in
// Chaos Mesh's namespace the checks tell that need them.
func lookAtRights(ctx context.Context, e *examination) {
	granted := map[string]int{}
	missing := map[string]bool{}
	places := []string{}
	for _, right := range Rights() {
		if right.Where == InChaosMesh || right.Controller && e.Controller == "" {
			continue
		}
		for _, namespace := range e.where(right.Where) {
			place := "namespace " + namespace
			if namespace == "" {
				place = "the whole cluster"
			}
			if !slices.Contains(places, place) {
				places = append(places, place)
			}
			denied, why, err := e.denied(ctx, right, namespace)
			switch {
			case err != nil:
				say := e.fail
				if right.Optional {
					say = e.warn
				}
				say(place, "kubectl auth can-i --list", "the API server does not say what we may do: %v", cause(ctx, err))
				return
			case len(denied) > 0:
				missing[place] = true
				if right.Resource == podNetworkChaos {
					e.stuck[namespace] = true
				}
				e.missing(right, denied, namespace, place, why)
			default:
				granted[place] += len(right.Verbs)
			}
		}
	}
	for _, place := range places {
		if !missing[place] {
			e.ok(place, "we have all %d rights that are needed there", granted[place])
		}
	}
}

// where are the namespaces that a right is needed in; an empty one is the
// whole cluster.
func (e *examination) where(where Where) []string {
	switch where {
	case InTarget:
		return e.namespaces()
	case InController:
		return []string{e.Controller}
	default:
		return []string{""}
	}
}

// denied are the verbs of a right that we do not have, and why not.
func (e *examination) denied(ctx context.Context, right Right, namespace string) (verbs []string, why string, err error) {
	for _, verb := range right.Verbs {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: namespace, Verb: verb, Group: right.Group, Resource: right.Resource, Name: right.Name,
			},
		}}
		if err := e.Client.Create(ctx, review); err != nil {
			return nil, "", err
		}
		if review.Status.Allowed {
			continue
		}
		verbs = append(verbs, verb)
		if why == "" {
			why = review.Status.Reason
		}
		if why == "" {
			why = review.Status.EvaluationError
		}
	}
	return verbs, why, nil
}

func (e *examination) missing(right Right, verbs []string, namespace, place, why string) {
	message := fmt.Sprintf("we may not %s %s, which is needed to %s", strings.Join(verbs, ", "), right.FullResource(), right.For)
	if why != "" {
		message += ": " + why
	}
	say := e.fail
	if right.Optional {
		say = e.warn
	}
	say(place, e.grant(right, verbs, namespace), "%s", message)
}

// grant are the commands that give us a right.
func (e *examination) grant(right Right, verbs []string, namespace string) string {
	name := "emco-chaos-" + verbs[0] + "-" + right.Resource
	what := fmt.Sprintf("--verb=%s --resource=%s", strings.Join(verbs, ","), right.FullResource())
	if right.Name != "" {
		what += " --resource-name=" + right.Name
	}
	if namespace == "" {
		return fmt.Sprintf("kubectl create clusterrole %s %s\nkubectl create clusterrolebinding %s --clusterrole=%s %s", name, what, name, name, e.we)
	}
	return fmt.Sprintf("kubectl -n %s create role %s %s\nkubectl -n %s create rolebinding %s --role=%s %s", namespace, name, what, namespace, name, name, e.we)
}
