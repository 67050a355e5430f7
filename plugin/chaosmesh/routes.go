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

// routes are the Kubernetes services that lead to the pods of an outage.
type routes struct {
	// services are those that had a ready endpoint, and what became of them.
	services map[service]*route
}

type service struct{ namespace, name string }

type route struct{ emptied, filled bool }

func newRoutes(outage *outage, slices map[types.UID]*discoveryv1.EndpointSlice) *routes {
	r := &routes{services: map[service]*route{}}
	for _, slice := range slices {
		for _, endpoint := range slice.Endpoints {
			if endpoint.TargetRef == nil || !serving(endpoint) {
				continue
			}
			if _, hit := outage.struck[endpoint.TargetRef.UID]; hit {
				r.services[serviceOf(slice)] = &route{}
			}
		}
	}
	return r
}

func serviceOf(slice *discoveryv1.EndpointSlice) service {
	return service{slice.Namespace, slice.Labels[discoveryv1.LabelServiceName]}
}

// serving says whether requests go to the endpoint.
func serving(endpoint discoveryv1.Endpoint) bool {
	return endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
}

// routesTold: the watch tells something of an EndpointSlice.
func (a *applied) routesTold(now time.Time) {
	if a.routes == nil || a.created.IsZero() || a.removed {
		return
	}
	for of, route := range a.routes.services {
		addresses := map[string]bool{}
		for _, slice := range a.driver.slices {
			if serviceOf(slice) != of {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if serving(endpoint) {
					for _, address := range endpoint.Addresses {
						addresses[address] = true
					}
				}
			}
		}
		switch {
		case !route.emptied && len(addresses) == 0:
			route.emptied = true
			a.note(now, fmt.Sprintf("service %s has no endpoint", of.name))
		case route.emptied && !route.filled && len(addresses) > 0:
			route.filled = true
			a.note(now, fmt.Sprintf("service %s has an endpoint again: %s", of.name, strings.Join(slices.Sorted(maps.Keys(addresses)), ", ")))
		}
	}
}
