package local

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

//go:embed schema.json
var schemaText []byte

var schema = document.Embedded(schemaText)

// texts are the fields whose values are texts, however they are written.
var texts = regexp.MustCompile(`^spec\.pods\[\d+\]\.(command|env|labels)[.\[]`)

// Description is a LocalCluster file: processes that stand in for pods, and
// the links between them.
type Description struct {
	// File is the absolute name of the file that it was read from. Locks and logs
	// stand beside it, and relative commands start from its folder.
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
	// RestartAfter is how long after its end a process is started again; a file
	// that does not say has 1 s.
	RestartAfter plan.Duration
}

// UnmarshalJSON fills in the default of a file.
func (p *Pod) UnmarshalJSON(data []byte) error {
	type plain Pod
	p.RestartAfter = plan.Duration(time.Second)
	return json.Unmarshal(data, (*plain)(p))
}

// Ready is the readiness check of a process. A process without one is ready
// once it runs.
type Ready struct {
	TCP  string // a host:port that accepts connections
	HTTP string // a URL whose GET is answered with a 2xx
}

// Link is the way that one pod's TCP connections take to another one, or to
// something outside the cluster. Faults of the network act on links.
type Link struct {
	From string
	To   string // the pod at the other end; empty when that is outside
	// External is the name of what is outside, as the externalTargets of a
	// NetworkChaos have it; empty when To is set.
	External string
	Listen   string // where From connects to, host:port
	Connect  string // where its connections go on to, host:port
}

func (l Link) String() string { return l.From + " to " + cmp.Or(l.To, l.External) }

// LeadsTo reports whether the link leads to an external target. Where one of the
// two has no port, it stands for all of them.
func (l Link) LeadsTo(target string) bool {
	host, port := splitPort(target)
	external, own := splitPort(l.External)
	return host != "" && host == external && (port == own || port == "" || own == "")
}

func splitPort(name string) (host, port string) {
	if host, port, err := net.SplitHostPort(name); err == nil {
		return host, port
	}
	return name, ""
}

// Load reads a LocalCluster file. Its mistakes come back all at once as
// [document.Problems], each with its place, its field and a remedy.
func Load(file string) (*Description, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the cluster file: %w", err)
	}
	cluster := &Description{}
	if cluster.File, err = filepath.Abs(file); err != nil {
		return nil, fmt.Errorf("find the cluster's folder: %w", err)
	}
	source := document.Parse(file, data)
	source.AsWritten(texts)
	schema().Check(source, "")
	source.Decode("metadata", cluster)
	source.Decode("spec", cluster)
	checkReferences(source, cluster)
	if err := source.Problems().Err(); err != nil {
		return nil, err
	}
	return cluster, nil
}

// checkReferences finds pods that are named and not there, and names and
// addresses that are there twice. What was not read is empty.
func checkReferences(source *document.File, cluster *Description) {
	var names []string
	for i, pod := range cluster.Pods {
		field := fmt.Sprintf("spec.pods[%d]", i)
		for j, before := range pod.After {
			at := fmt.Sprintf("%s.after[%d]", field, j)
			if before == pod.Name && before != "" {
				source.Wrong(at, "a pod cannot wait for itself", "remove it")
			} else if before != "" && !slices.Contains(names, before) {
				source.Wrong(at, fmt.Sprintf("no pod %s is further up", before), "name a pod that stands before this one: "+listed(names))
			}
		}
		written, _ := source.Value(field + ".name")
		if name, _ := written.(string); slices.Contains(names, name) {
			source.Wrong(field+".name", fmt.Sprintf("there is a pod %s further up", name), "give each pod a name of its own")
		} else if name != "" {
			names = append(names, name)
		}
	}
	listeners := map[string]Link{}
	for i, link := range cluster.Links {
		field := fmt.Sprintf("spec.links[%d]", i)
		for key, name := range map[string]string{"from": link.From, "to": link.To} {
			if name != "" && !slices.Contains(names, name) {
				source.Wrong(field+"."+key, "there is no pod "+name, "name one of the pods: "+listed(names))
			}
		}
		if link.To == link.From && link.To != "" {
			source.Wrong(field+".to", "a link leads from one pod to another", "name another pod than "+link.From)
		}
		if other, taken := listeners[link.Listen]; taken && link.Listen != "" {
			source.Wrong(field+".listen", fmt.Sprintf("%s is the address of the link %s too", link.Listen, other), "give each link a port of its own")
		} else {
			listeners[link.Listen] = link
		}
		if link.Connect == link.Listen && link.Connect != "" {
			source.Wrong(field+".connect", "is the address that the link itself listens on", "write where the other end listens")
		}
	}
}

func listed(names []string) string {
	if len(names) == 0 {
		return "there is none"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
