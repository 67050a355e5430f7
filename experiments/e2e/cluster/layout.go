package cluster

import "path/filepath"

// The addresses of a cluster. They are the same in every one: each has a
// network namespace of its own.
const (
	// NodeAddress is the address of the one node, where its API server, its
	// DNS and every NodePort are.
	NodeAddress = "192.168.77.1"
	// EdgeAddress is the address of the emulated edge cluster's API server,
	// which is in no pod.
	EdgeAddress = "192.168.77.2"
	// EdgeEndpoint is that API server's HOST:PORT.
	EdgeEndpoint = EdgeAddress + ":" + edgePort

	edgePort     = "6443"
	apiPort      = "6443"
	subnetBits   = "/24"
	podRange     = "10.244.0.0/16"
	serviceRange = "10.96.0.0/16"
	apiService   = "10.96.0.1"
	dnsDomain    = "cluster.local"
	nodeName     = "node"

	nodeInterface = "node0"
)

// folder is a cluster's state folder: all that it writes is in it.
type folder string

func (f folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

func (f folder) config(name string) string { return f.path("config", name) }
func (f folder) pki(name string) string    { return f.path("pki", name) }
func (f folder) log(name string) string    { return f.path("logs", name+".log") }
func (f folder) data(name string) string   { return f.path("data", name) }

func (f folder) record() string     { return f.path("cluster.json") }
func (f folder) kubeconfig() string { return f.path("kubeconfig") }
func (f folder) target() string     { return f.path("target.yaml") }
func (f folder) podTarget() string  { return f.path("target-in-cluster.yaml") }
func (f folder) edge() string       { return f.path("edge.kubeconfig") }
func (f folder) podLogs() string    { return f.path("logs", "pods") }

// socket is containerd's, in a folder with nothing else in it, as
// chaos-daemon mounts the folder.
func (f folder) socket() string { return f.path("socket", "containerd.sock") }
