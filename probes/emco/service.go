package emco

import (
	"slices"
	"strings"
)

// Service is one of EMCO's microservices, by the name that emcoctl's
// configuration has for it.
type Service string

// The microservices that a run has to do with. Rsync has no REST API of its
// own beyond /metrics; the others have one below /v2/.
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

// RESTServices lists all microservices that have a REST API below /v2/, the
// optional ones too.
func RESTServices() []Service {
	return []Service{
		Orchestrator, DCM, CLM,
		ncm, caCert, dtc, gac, hpaPlacement, ovnAction, policy, sfc, sfcClient, tac, workflowManager,
	}
}

// ofGroup says who answers for what lies below a deployment intent group, by
// the next piece of the path; the orchestrator for all else.
var ofGroup = map[string]Service{
	"network-chains":             sfc,
	"sfc-clients":                sfcClient,
	"network-controller-intent":  ovnAction,
	"traffic-group-intents":      dtc,
	"generic-k8s-intents":        gac,
	"hpa-intents":                hpaPlacement,
	"temporal-workflow-intents":  workflowManager,
	"temporal-action-controller": tac,
	"policy-intents":             policy,
}

// ofCluster are the pieces of a path below a cluster that NCM answers for.
var ofCluster = []string{"networks", "provider-networks", "apply", "terminate", "status", "stop"}

// ServiceOf says which microservice answers for an anchor, a path below
// /v2/: EMCO's paths route by their prefix, as emcoctl has it.
func ServiceOf(anchor string) Service {
	parts := strings.Split(strings.Trim(anchor, "/"), "/")
	part := func(i int) string {
		if i < len(parts) {
			return parts[i]
		}
		return ""
	}
	switch part(0) {
	case "cluster-providers":
		switch {
		case slices.Contains(ofCluster, part(4)):
			return ncm
		case part(2) == "ca-certs":
			return caCert
		}
		return CLM
	case "clm-controllers":
		return CLM
	case "dtc-controllers":
		return dtc
	case "projects":
		switch part(2) {
		case "logical-clouds":
			return DCM
		case "ca-certs":
			return caCert
		case "policy":
			return policy
		}
		if service, found := ofGroup[part(7)]; found {
			return service
		}
	}
	return Orchestrator
}
