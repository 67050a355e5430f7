package chaosmesh

import (
	"fmt"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// serviceState is what has become of a Kubernetes service that led to a pod of
// an outage.
type serviceState int

const (
	serving serviceState = iota
	emptied
	refilled
)

// endpoints are the endpoints that requests go to, by service.
func (d *Driver) endpoints() map[types.NamespacedName][]discoveryv1.Endpoint {
	all := map[types.NamespacedName][]discoveryv1.Endpoint{}
	for _, slice := range d.slices {
		service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				all[service] = append(all[service], endpoint)
			}
		}
	}
	return all
}

// servicesOf are the services that lead to the pods of an outage.
func (d *Driver) servicesOf(o *outage) map[types.NamespacedName]serviceState {
	services := map[types.NamespacedName]serviceState{}
	for service, endpoints := range d.endpoints() {
		for _, endpoint := range endpoints {
			if endpoint.TargetRef != nil && o.pods[endpoint.TargetRef.UID] != nil {
				services[service] = serving
			}
		}
	}
	return services
}

// endpointsChanged notes the first time that a service has no endpoint, and the
// first time that it has one again.
func (f *activeFault) endpointsChanged(now time.Time) {
	if f.outage == nil || f.phase == "" || f.removed {
		return
	}
	all := f.driver.endpoints()
	for service, state := range f.outage.services {
		switch endpoints := all[service]; {
		case state == serving && len(endpoints) == 0:
			f.outage.services[service] = emptied
			f.note(now, fmt.Sprintf("service %s has no endpoint", service.Name))
		case state == emptied && len(endpoints) > 0:
			f.outage.services[service] = refilled
			var addresses []string
			for _, endpoint := range endpoints {
				addresses = append(addresses, endpoint.Addresses...)
			}
			slices.Sort(addresses)
			f.note(now, fmt.Sprintf("service %s has an endpoint again: %s", service.Name, strings.Join(slices.Compact(addresses), ", ")))
		}
	}
}
