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

// Services lists the microservices that a run has to do with, those with a
// REST API first.
func Services() []Service { return []Service{Orchestrator, DCM, CLM, Rsync} }

// The microservices that resource files can name besides.
const (
	ncm             Service = "ncm"
	caCert          Service = "cacert"
	dtc             Service = "dtc"
	gac             Service = "gac"
	hpaPlacement    Service = "hpaplacement"
	ovnAction       Service = "ovnaction"
	policy          Service = "policy"
	sfc             Service = "sfc"
	sfcClient       Service = "sfcclient"
	tac             Service = "tac"
	workflowManager Service = "workflowmgr"
)

// RESTServices lists all microservices with a REST API, the optional ones too.
func RESTServices() []Service {
	return []Service{Orchestrator, DCM, CLM, ncm, caCert, dtc, gac, hpaPlacement, ovnAction, policy, sfc, sfcClient, tac, workflowManager}
}

// routes find the microservice that answers, by the piece of a path that follows
// some others, as in emcoctl; the orchestrator answers for the rest.
var routes = []struct {
	service Service
	below   string // a pattern of [path.Match]
	pieces  []string
}{
	{ncm, "cluster-providers/*/*/*", []string{"networks", "provider-networks", "apply", "terminate", "status", "stop"}},
	{caCert, "cluster-providers/*", []string{"ca-certs"}},
	{CLM, "", []string{"cluster-providers", "clm-controllers"}},
	{dtc, "", []string{"dtc-controllers"}},
	{DCM, "projects/*", []string{"logical-clouds"}},
	{caCert, "projects/*", []string{"ca-certs"}},
	{policy, "projects/*", []string{"policy"}},
	{sfc, belowGroup, []string{"network-chains"}},
	{sfcClient, belowGroup, []string{"sfc-clients"}},
	{ovnAction, belowGroup, []string{"network-controller-intent"}},
	{dtc, belowGroup, []string{"traffic-group-intents"}},
	{gac, belowGroup, []string{"generic-k8s-intents"}},
	{hpaPlacement, belowGroup, []string{"hpa-intents"}},
	{workflowManager, belowGroup, []string{"temporal-workflow-intents"}},
	{tac, belowGroup, []string{"temporal-action-controller"}},
	{policy, belowGroup, []string{"policy-intents"}},
}

// belowGroup is the path of a deployment intent group.
const belowGroup = "projects/*/*/*/*/*/*"

// ServiceOf finds the microservice that answers for an anchor, a path below
// /v2/.
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
