package emco

import (
	"encoding/json"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// Service is one of EMCO's microservices, by its name in emcoctl's configuration.
type Service string

// The microservices that a run has to do with. Rsync has no REST API.
const (
	Orchestrator Service = "orchestrator"
	DCM          Service = "dcm"
	CLM          Service = "clm"
	Rsync        Service = "rsync"
)

// Services lists the microservices that a run has to do with.
func Services() []Service { return []Service{Orchestrator, DCM, CLM, Rsync} }

// RESTServices lists all microservices with a REST API, the optional ones too.
func RESTServices() []Service {
	services := []Service{Orchestrator}
	for _, r := range routes {
		if !slices.Contains(services, r.service) {
			services = append(services, r.service)
		}
	}
	return services
}

type route struct {
	service Service
	below   string // a pattern of [path.Match]
	pieces  []string
}

// routes find the microservice that answers, by the piece of a path that follows
// some others, as in emcoctl; the orchestrator answers for the rest.
var routes = []route{
	{"ncm", "cluster-providers/*/*/*", []string{"networks", "provider-networks", "apply", "terminate", "status", "stop"}},
	{"cacert", "cluster-providers/*", []string{"ca-certs"}},
	{CLM, "", []string{"cluster-providers", "clm-controllers"}},
	{"dtc", "", []string{"dtc-controllers"}},
	{DCM, "projects/*", []string{"logical-clouds"}},
	{"cacert", "projects/*", []string{"ca-certs"}},
	{"policy", "projects/*", []string{"policy"}},
	{"sfc", belowGroup, []string{"network-chains"}},
	{"sfcclient", belowGroup, []string{"sfc-clients"}},
	{"ovnaction", belowGroup, []string{"network-controller-intent"}},
	{"dtc", belowGroup, []string{"traffic-group-intents"}},
	{"gac", belowGroup, []string{"generic-k8s-intents"}},
	{"hpaplacement", belowGroup, []string{"hpa-intents"}},
	{"workflowmgr", belowGroup, []string{"temporal-workflow-intents"}},
	{"tac", belowGroup, []string{"temporal-action-controller"}},
	{"policy", belowGroup, []string{"policy-intents"}},
}

// belowGroup is the path of a deployment intent group.
const belowGroup = "projects/*/*/*/*/*/*"

// ServiceOf finds the microservice that answers for an anchor.
func ServiceOf(anchor string) Service {
	pieces := strings.Split(strings.Trim(anchor, "/"), "/")
	for _, r := range routes {
		depth := 0
		if r.below != "" {
			depth = strings.Count(r.below, "/") + 1
		}
		if len(pieces) <= depth || !slices.Contains(r.pieces, pieces[depth]) {
			continue
		}
		if fits, _ := path.Match(r.below, strings.Join(pieces[:depth], "/")); fits {
			return r.service
		}
	}
	return Orchestrator
}

// collections are those below the resources of EMCO's, by the pattern of the
// resource's anchor.
var collections = map[string][]string{
	"projects/*":                                               {"logical-clouds", "composite-apps"},
	"projects/*/logical-clouds/*":                              {"cluster-references", "cluster-quotas", "user-permissions", "kv-pairs"},
	"projects/*/composite-apps/*/*":                            {"deployment-intent-groups", "composite-profiles", "apps"},
	"projects/*/composite-apps/*/*/apps/*":                     {"dependency"},
	"projects/*/composite-apps/*/*/composite-profiles/*":       {"profiles"},
	"projects/*/composite-apps/*/*/deployment-intent-groups/*": {"generic-placement-intents", "intents"},
	"projects/*/composite-apps/*/*/deployment-intent-groups/*/generic-placement-intents/*": {"app-intents"},
	"cluster-providers/*":            {"clusters", "cluster-sync-objects"},
	"cluster-providers/*/clusters/*": {"labels", "kv-pairs"},
}

// Collections are the anchors of the collections below a resource. EMCO refuses
// to delete it while there is something in one, and can destroy it all the same.
func Collections(anchor string) []string {
	var list []string
	for pattern, names := range collections {
		if matches, _ := path.Match(pattern, anchor); matches {
			for _, name := range names {
				list = append(list, anchor+"/"+name)
			}
		}
	}
	for _, r := range routes {
		if matches, _ := path.Match(r.below, anchor); matches && r.below == belowGroup {
			list = append(list, anchor+"/"+r.pieces[0]) // intents of other controllers
		}
	}
	return list
}

// optional reports whether an EMCO may answer that it has no such collection.
func optional(collection string) bool {
	name := path.Base(collection)
	return slices.Contains([]string{"cluster-quotas", "user-permissions", "kv-pairs", "dependency", "cluster-sync-objects"}, name) ||
		slices.ContainsFunc(routes, func(r route) bool { return r.below == belowGroup && slices.Contains(r.pieces, name) })
}

// Children reads an answer that lists a collection below a resource: an array, or an object with arrays. It is false if
// the answer is no such list, nor says that there is none.
func Children[T any](a Answer) (list []T, ok bool) {
	switch {
	case a.Missing(), a.Code == http.StatusBadRequest && a.Text() == "No Cluster References associated",
		(a.Code == http.StatusNotFound || a.Code == http.StatusMethodNotAllowed) && optional(a.Request.Anchor):
		return nil, true
	case a.Outcome.Kind != Accepted || a.Cut:
		return nil, false
	case json.Unmarshal(a.Body, &list) == nil:
		return list, true
	}
	var arrays map[string][]T
	if json.Unmarshal(a.Body, &arrays) != nil {
		return nil, false
	}
	return slices.Concat(slices.Collect(maps.Values(arrays))...), true
}
