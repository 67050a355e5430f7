package local

import (
	_ "embed"
	"fmt"
	"os"
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

const defaultRestartAfter = time.Second

// Load reads a LocalCluster file. Its mistakes come back all at once as
// [document.Problems], each with its place, its field and a remedy.
func Load(file string) (*Description, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the cluster file: %w", err)
	}
	var read struct {
		Metadata struct{ Name string }
		Spec     struct {
			Namespace string
			Pods      []struct {
				Pod
				RestartAfter *plan.Duration
			}
			Links []Link
		}
	}
	source := document.Parse(file, data)
	source.AsWritten(texts)
	schema().Check(source, "")
	source.Decode("", &read)
	cluster := &Description{File: file, Name: read.Metadata.Name, Namespace: read.Spec.Namespace, Links: read.Spec.Links}
	for _, each := range read.Spec.Pods {
		pod := each.Pod
		pod.RestartAfter = defaultRestartAfter
		if each.RestartAfter != nil {
			pod.RestartAfter = time.Duration(*each.RestartAfter)
		}
		cluster.Pods = append(cluster.Pods, pod)
	}
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

// listed are the names in words.
func listed(names []string) string {
	if len(names) == 0 {
		return "there is none"
	}
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
