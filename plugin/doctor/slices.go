package doctor

import (
	"context"
	"slices"
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lookAtSlices looks for the Services that lead to the pods of each service,
// by their EndpointSlices: through them callers see it go and come back.
func lookAtSlices(ctx context.Context, e *examination) {
	byNamespace := map[string][]discoveryv1.EndpointSlice{}
	for _, namespace := range e.namespaces() {
		list := &discoveryv1.EndpointSliceList{}
		if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			e.fail("namespace "+namespace, "kubectl -n "+namespace+" get endpointslices", "its EndpointSlices cannot be listed: %v", cause(ctx, err))
			return
		}
		byNamespace[namespace] = list.Items
	}
	for _, name := range e.services() {
		pods := e.pods[name]
		if len(pods) == 0 {
			continue
		}
		var leading, empty []string
		for _, slice := range byNamespace[e.Target.Services[name].Namespace] {
			found, ready := leadsTo(slice, pods)
			service := slice.Labels[discoveryv1.LabelServiceName]
			switch {
			case found && ready && !slices.Contains(leading, service):
				leading = append(leading, service)
			case found && !ready && !slices.Contains(empty, service):
				empty = append(empty, service)
			}
		}
		namespace := e.Target.Services[name].Namespace
		switch {
		case len(leading) > 0:
			slices.Sort(leading)
			e.ok(name, "behind the Service %s", strings.Join(leading, ", "))
		case len(empty) > 0:
			e.warn(name, "kubectl -n "+namespace+" get endpointslices -l "+discoveryv1.LabelServiceName+"="+empty[0],
				"the Service %s leads to its pods, and none of them is ready", strings.Join(empty, ", "))
		default:
			e.warn(name, "kubectl -n "+namespace+" get services -o wide", "no Service leads to its pods: its callers reach it some other way, and a run does not see there that it is gone")
		}
	}
}

// leadsTo says whether a slice leads to one of the pods, and whether to a
// ready one.
func leadsTo(slice discoveryv1.EndpointSlice, pods []Pod) (found, ready bool) {
	for _, endpoint := range slice.Endpoints {
		if endpoint.TargetRef == nil || endpoint.TargetRef.Kind != "Pod" {
			continue
		}
		if !slices.ContainsFunc(pods, func(pod Pod) bool { return pod.Name == endpoint.TargetRef.Name }) {
			continue
		}
		found = true
		if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
			ready = true
		}
	}
	return found, ready
}
