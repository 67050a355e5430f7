package local

import (
	"cmp"
	"time"
)

// Description is a LocalCluster file: processes that stand in for pods, and
// the links between them.
type Description struct {
	// File is the file that it was read from. Locks and logs stand beside it,
	// and relative commands start from its folder.
	File      string
	Name      string
	Namespace string
	// Pods are started in this order.
	Pods  []Pod
	Links []Link
}

// Pod is one process that stands in for a pod. Its one container has the
// pod's name.
type Pod struct {
	Name   string
	Labels map[string]string
	// After are pods further up that must be ready before this one starts.
	After   []string
	Command []string
	// Env is all that the process gets beside PATH, HOME, TMPDIR and its
	// lifeline.
	Env   map[string]string
	Ready Ready
	// RestartAfter is how long after its end a process is started again.
	RestartAfter time.Duration
}

// Ready is the readiness check of a process. A process without one is ready
// once it runs.
type Ready struct {
	// TCP is a host:port that accepts connections.
	TCP string
	// HTTP is a URL whose GET is answered with a 2xx.
	HTTP string
}

// Link is the way that one pod's TCP connections take to another one, or to
// something outside the cluster. Faults of the network act on links.
type Link struct {
	From string
	// To is the pod at the other end; empty when that is outside.
	To string
	// External is the name of what is outside, as the externalTargets of a
	// NetworkChaos have it; empty when To is set.
	External string
	// Listen is where From connects to, host:port.
	Listen string
	// Connect is where its connections go on to, host:port.
	Connect string
}

func (l Link) String() string { return l.From + " to " + cmp.Or(l.To, l.External) }
