package emco

import "strings"

// Service is one of EMCO's microservices.
type Service string

// The microservices that a run has to do with. Rsync has no REST API of its
// own beyond /metrics; the others have one below /v2/.
const (
	Orchestrator Service = "orchestrator"
	DCM          Service = "dcm"
	CLM          Service = "clm"
	Rsync        Service = "rsync"
)

// Services lists the microservices, those with a REST API first.
func Services() []Service { return []Service{Orchestrator, DCM, CLM, Rsync} }

// ServiceOf says which microservice answers for an anchor, a path below
// /v2/: EMCO's paths route by their prefix.
func ServiceOf(anchor string) Service {
	parts := strings.Split(strings.Trim(anchor, "/"), "/")
	switch {
	case parts[0] == "cluster-providers":
		return CLM
	case parts[0] == "projects" && len(parts) > 2 && parts[2] == "logical-clouds":
		return DCM
	default:
		return Orchestrator
	}
}
