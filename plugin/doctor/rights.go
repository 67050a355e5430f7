package doctor

import (
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// Where says in which namespace a right is needed.
type Where string

// Where rights are needed.
const (
	// InTarget is every namespace that the target has pods in.
	InTarget Where = "target"
	// InChaosMesh is the namespace of Chaos Mesh.
	InChaosMesh Where = "chaos-mesh"
	// InController is the namespace of our controller.
	InController Where = "controller"
	// Everywhere is the whole cluster.
	Everywhere Where = "cluster"
)

// Right is what we may have to do to one kind of resource.
type Right struct {
	Where    Where
	Group    string
	Resource string
	// Name is the only object that the right is needed on; empty is any.
	Name  string
	Verbs []string
	// For says what cannot be done without it.
	For string
	// Controller says that only the controller needs it, not the command
	// line.
	Controller bool
	// Optional says that experiments can be run from the command line without
	// it.
	Optional bool
}

// FullResource is the resource as kubectl names it.
func (r Right) FullResource() string {
	if r.Group == "" {
		return r.Resource
	}
	return r.Resource + "." + r.Group
}

func (r Right) String() string {
	text := strings.Join(r.Verbs, ", ") + " " + r.FullResource()
	if r.Name != "" {
		text += " " + r.Name
	}
	return text
}

// podNetworkChaos is what Chaos Mesh keeps of all network faults on one pod.
const podNetworkChaos = "podnetworkchaos"

// Rights are all that emco-chaos does to a cluster, and no more. The chart's
// Roles grant the same.
func Rights() []Right {
	// We patch and do not update, but to Chaos Mesh's web hook, which asks once
	// more in each namespace that a fault selects pods in, a patch is an update.
	faults := []string{"create", "get", "list", "watch", "patch", "update", "delete"}
	var rights []Right
	for _, kind := range fault.Kinds() {
		rights = append(rights, Right{Where: InTarget, Group: fault.Group, Resource: kind.Resource(), Verbs: faults, For: "put faults on, watch them and remove them"})
	}
	return append(rights, []Right{
		{Where: InTarget, Group: fault.Group, Resource: podNetworkChaos, Verbs: []string{"get", "patch"}, For: "free a pod of a network fault that cannot be injected", Optional: true},
		{Where: InTarget, Resource: "pods", Verbs: []string{"list", "watch"}, For: "see what a fault selects, and when it goes and comes back"},
		{Where: InTarget, Group: "discovery.k8s.io", Resource: "endpointslices", Verbs: []string{"list", "watch"}, For: "see when a service is reachable"},
		{Where: InTarget, Resource: "events", Verbs: []string{"list"}, For: "tell in Chaos Mesh's own words why a fault selects nothing", Optional: true},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Verbs: []string{"create"}, For: "keep two runs off one target"},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Name: lease.Name, Verbs: []string{"get", "update", "delete"}, For: "keep two runs off one target"},
		{Where: InTarget, Group: "coordination.k8s.io", Resource: "leases", Name: lease.Name, Verbs: []string{"list", "watch"}, For: "see that a run has died", Controller: true},
		{Where: InTarget, Resource: "events", Verbs: []string{"create"}, For: "write what happened on the faults, for the dashboard", Controller: true},
		{Where: InController, Group: fault.Group, Resource: "schedules", Verbs: []string{"get", "list", "watch", "patch"}, For: "be started from the dashboard again and again", Controller: true},
		{Where: InController, Group: fault.Group, Resource: "workflows", Verbs: []string{"get"}, For: "find the Schedule that a request comes from", Controller: true},
		{Where: InController, Resource: "events", Verbs: []string{"create"}, For: "write what happened, for the dashboard", Controller: true},
		{Where: Everywhere, Group: "authentication.k8s.io", Resource: "tokenreviews", Verbs: []string{"create"}, For: "see who asks for a run, so that runs can be asked for", Controller: true, Optional: true},
		{Where: Everywhere, Group: "authorization.k8s.io", Resource: "subjectaccessreviews", Verbs: []string{"create"}, For: "see who may ask for a run, so that runs can be asked for", Controller: true, Optional: true},
		{Where: InChaosMesh, Group: "apps", Resource: "deployments", Verbs: []string{"list"}, For: "let doctor say whether Chaos Mesh is ready", Optional: true},
		{Where: InChaosMesh, Resource: "pods", Verbs: []string{"list"}, For: "let doctor say whether chaos-daemon is ready", Optional: true},
	}...)
}
