package chaosmesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// serviceState says what has become of a Kubernetes service that led to a pod
// of an outage: it lost its last endpoint, and has one again.
type serviceState struct{ emptied, filled bool }

func serviceOf(slice *discoveryv1.EndpointSlice) types.NamespacedName {
	return types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
}

// serving are the endpoints that requests go to.
func serving(slice *discoveryv1.EndpointSlice) []discoveryv1.Endpoint {
	var list []discoveryv1.Endpoint
	for _, endpoint := range slice.Endpoints {
		if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
			list = append(list, endpoint)
		}
	}
	return list
}

// servicesOf are the services that lead to the pods of an outage.
func (d *Driver) servicesOf(o *outage) map[types.NamespacedName]*serviceState {
	services := map[types.NamespacedName]*serviceState{}
	for _, slice := range d.slices {
		for _, endpoint := range serving(slice) {
			if endpoint.TargetRef != nil && o.pods[endpoint.TargetRef.UID] != nil {
				services[serviceOf(slice)] = &serviceState{}
			}
		}
	}
	return services
}

// endpointsChanged observes what has become of the services.
func (f *activeFault) endpointsChanged(now time.Time) {
	if f.outage == nil || f.phase == "" || f.removed {
		return
	}
	for service, state := range f.outage.services {
		addresses := map[string]bool{}
		for _, slice := range f.driver.slices {
			if serviceOf(slice) != service {
				continue
			}
			for _, endpoint := range serving(slice) {
				for _, address := range endpoint.Addresses {
					addresses[address] = true
				}
			}
		}
		switch {
		case !state.emptied && len(addresses) == 0:
			state.emptied = true
			f.note(now, fmt.Sprintf("service %s has no endpoint", service.Name))
		case state.emptied && !state.filled && len(addresses) > 0:
			state.filled = true
			f.note(now, fmt.Sprintf("service %s has an endpoint again: %s", service.Name, strings.Join(slices.Sorted(maps.Keys(addresses)), ", ")))
		}
	}
}
