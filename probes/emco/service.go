package emco

import (
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
