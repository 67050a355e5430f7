package local

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	apiVersion          = "emco-chaos/v1"
	kind                = "LocalCluster"
	defaultRestartAfter = time.Second
)

// Load reads a LocalCluster file. Its mistakes come back all at once as
// [document.Problems], each with its place, its field and a remedy.
func Load(file string) (*Description, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the cluster file: %w", err)
	}
	return parse(file, data)
}

func parse(file string, data []byte) (*Description, error) {
	source, root := document.Parse(file, data)
	if root == nil {
		return nil, source.Problems().Err()
	}
	l := loader{description: &Description{File: file}, pods: map[string]bool{}, listeners: map[string]string{}}
	l.document(*root)
	if err := source.Problems().Err(); err != nil {
		return nil, err
	}
	return l.description, nil
}

// loader reads one file.
type loader struct {
	description *Description
	// pods are the names of the pods so far.
	pods map[string]bool
	// listeners says for each listen address which link has it.
	listeners map[string]string
}

func (l *loader) document(root document.Value) {
	fields, ok := root.Map()
	if !ok {
		return
	}
	defer fields.End()
	if value, found := fields.Need("apiVersion", "write apiVersion: "+apiVersion); found {
		value.Choice(apiVersion)
	}
	if value, found := fields.Need("kind", "write kind: "+kind); found {
		value.Choice(kind)
	}
	if value, found := fields.Need("metadata", "write metadata: {name: NAME}"); found {
		l.metadata(value)
	}
	if value, found := fields.Need("spec", "write spec with namespace, pods and links"); found {
		l.spec(value)
	}
}

func (l *loader) metadata(value document.Value) {
	fields, ok := value.Map()
	if !ok {
		return
	}
	defer fields.End()
	if name, found := fields.Need("name", "name the cluster"); found {
		l.description.Name, _ = name.Text()
	}
}

func (l *loader) spec(value document.Value) {
	fields, ok := value.Map()
	if !ok {
		return
	}
	defer fields.End()
	if namespace, found := fields.Need("namespace", "write the namespace that the pods count as being in, such as emco"); found {
		l.description.Namespace, _ = namespace.Text()
	}
	if pods, found := fields.Need("pods", "list the pods"); found {
		entries, ok := pods.List()
		if ok && len(entries) == 0 {
			pods.Problem("has no pod", "list at least one")
		}
		for _, entry := range entries {
			l.pod(entry)
		}
	}
	if links, found := fields.Get("links"); found {
		entries, _ := links.List()
		for _, entry := range entries {
			l.link(entry)
		}
	}
}

func (l *loader) pod(value document.Value) {
	fields, ok := value.Map()
	if !ok {
		return
	}
	defer fields.End()
	pod := Pod{RestartAfter: defaultRestartAfter}
	if name, found := fields.Need("name", "name the pod"); found {
		pod.Name = l.podName(name)
	}
	if labels, found := fields.Get("labels"); found {
		pod.Labels = texts(labels)
	}
	if after, found := fields.Get("after"); found {
		pod.After = l.after(after, pod.Name)
	}
	if command, found := fields.Need("command", "write the program and its arguments as a list"); found {
		pod.Command = arguments(command)
	}
	if env, found := fields.Get("env"); found {
		pod.Env = texts(env)
	}
	if ready, found := fields.Get("ready"); found {
		pod.Ready = readiness(ready)
	}
	if delay, found := fields.Get("restartAfter"); found {
		pod.RestartAfter, _ = delay.Duration()
	}
	if pod.Name != "" {
		l.pods[pod.Name] = true
	}
	l.description.Pods = append(l.description.Pods, pod)
}

// podName reads a name that no pod has so far. It is a file's name too.
func (l *loader) podName(value document.Value) string {
	name, ok := value.Text()
	switch {
	case !ok:
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(name, "-") != name:
		value.Problem(fmt.Sprintf("%q is no pod's name", name), "use lower-case letters, digits and dashes between them")
	case l.pods[name]:
		value.Problem(fmt.Sprintf("there is a pod %s further up", name), "give each pod a name of its own")
	default:
		return name
	}
	return ""
}

func (l *loader) after(value document.Value, name string) []string {
	var after []string
	entries, _ := value.List()
	for _, entry := range entries {
		before, ok := entry.Text()
		switch {
		case !ok:
		case before == name:
			entry.Problem("a pod cannot wait for itself", "remove it")
		case !l.pods[before]:
			entry.Problem(fmt.Sprintf("no pod %s is further up", before), "name a pod that stands before this one: "+l.known())
		default:
			after = append(after, before)
		}
	}
	return after
}

func (l *loader) known() string {
	if len(l.pods) == 0 {
		return "there is none"
	}
	names := make([]string, 0, len(l.pods))
	for name := range l.pods {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (l *loader) link(value document.Value) {
	fields, ok := value.Map()
	if !ok {
		return
	}
	defer fields.End()
	link := Link{}
	if from, found := fields.Need("from", "name the pod that connects"); found {
		link.From = l.end(from)
	}
	to, hasTo := fields.Get("to")
	external, hasExternal := fields.Get("external")
	switch {
	case hasTo && hasExternal:
		external.Problem("a link leads to a pod or outside, not both", "keep to or external")
	case hasTo:
		link.To = l.end(to)
		if link.To != "" && link.To == link.From {
			to.Problem("a link leads from one pod to another", "name another pod than "+link.From)
		}
	case hasExternal:
		link.External, _ = external.Text()
	default:
		value.Problem("does not say where the link leads", "add to: POD or external: NAME")
	}
	if listen, found := fields.Need("listen", "write the host:port that "+orThePod(link.From)+" connects to"); found {
		link.Listen = address(listen)
		if other, taken := l.listeners[link.Listen]; taken && link.Listen != "" {
			listen.Problem(fmt.Sprintf("%s is the address of the link %s too", link.Listen, other), "give each link a port of its own")
		} else {
			l.listeners[link.Listen] = link.String()
		}
	}
	if connect, found := fields.Need("connect", "write the host:port that the connections go on to"); found {
		link.Connect = address(connect)
		if link.Connect != "" && link.Connect == link.Listen {
			connect.Problem("is the address that the link itself listens on", "write where the other end listens")
		}
	}
	l.description.Links = append(l.description.Links, link)
}

func orThePod(name string) string {
	if name == "" {
		return "the pod"
	}
	return name
}

// end reads the name of a pod.
func (l *loader) end(value document.Value) string {
	name, ok := value.Text()
	if ok && !l.pods[name] {
		value.Problem(fmt.Sprintf("there is no pod %s", name), "name one of the pods: "+l.known())
		return ""
	}
	return name
}

func texts(value document.Value) map[string]string {
	fields, ok := value.Map()
	if !ok {
		return nil
	}
	result := map[string]string{}
	for _, entry := range fields.Entries() {
		if entry.Value.IsEmpty() {
			entry.Value.Problem("has no value", `write a text; "" is one too`)
			continue
		}
		result[entry.Key], _ = entry.Value.Scalar()
	}
	return result
}

func arguments(value document.Value) []string {
	entries, ok := value.List()
	if !ok {
		return nil
	}
	if len(entries) == 0 {
		value.Problem("has no program", "write the program and its arguments as a list")
	}
	command := make([]string, len(entries))
	for i, entry := range entries {
		command[i], ok = entry.Scalar()
		if i == 0 && ok && strings.TrimSpace(command[i]) == "" {
			entry.Problem("names no program", "write the program's path")
		}
	}
	return command
}

func readiness(value document.Value) Ready {
	var ready Ready
	fields, ok := value.Map()
	if !ok {
		return ready
	}
	defer fields.End()
	tcp, hasTCP := fields.Get("tcp")
	http, hasHTTP := fields.Get("http")
	switch {
	case hasTCP && hasHTTP:
		http.Problem("a pod has one sign of being ready", "keep tcp or http")
	case hasTCP:
		ready.TCP = address(tcp)
	case hasHTTP:
		text, ok := http.Text()
		at, err := url.Parse(text)
		switch {
		case !ok:
		case err != nil || at.Scheme != "http" || at.Host == "":
			http.Problem(fmt.Sprintf("%q is no URL that can be asked", text), "write a URL such as http://127.0.0.1:21002/metrics")
		default:
			ready.HTTP = text
		}
	default:
		value.Problem("does not say how the pod shows that it is ready", "add tcp: HOST:PORT or http: URL, or leave ready out")
	}
	return ready
}

func address(value document.Value) string {
	text, ok := value.Text()
	if !ok {
		return ""
	}
	host, port, err := net.SplitHostPort(text)
	number, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || portErr != nil || number == 0 {
		value.Problem(fmt.Sprintf("%q is no host:port", text), "write an address such as 127.0.0.1:21001")
		return ""
	}
	return text
}
