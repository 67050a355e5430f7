package chaosmesh

import (
	"fmt"
	"slices"
	"strings"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
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
func (d *Driver) servicesOf(o *outage) map[types.NamespacedName]bool {
	services := map[types.NamespacedName]bool{}
	for service, endpoints := range d.endpoints() {
		if slices.ContainsFunc(endpoints, func(endpoint discoveryv1.Endpoint) bool {
			return endpoint.TargetRef != nil && o.pods[endpoint.TargetRef.UID] != nil
		}) {
			services[service] = true
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
	for service, serving := range f.outage.services {
		switch endpoints := all[service]; {
		case serving && len(endpoints) == 0:
			f.outage.services[service] = false
			f.note(now, fmt.Sprintf("service %s has no endpoint", service.Name))
		case !serving && len(endpoints) > 0:
			delete(f.outage.services, service)
			var addresses []string
			for _, endpoint := range endpoints {
				addresses = append(addresses, endpoint.Addresses...)
			}
			f.note(now, fmt.Sprintf("service %s has an endpoint again: %s", service.Name, strings.Join(distinct(addresses), ", ")))
		}
	}
}
