// Package target describes the system under test and reads the target file:
// endpoints, references to credentials, and where the pods of each service are.
package target

import (
	"cmp"
	_ "embed"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// SettingsField is where the settings stand in a target file.
const SettingsField = "spec.settings"

// Target is the system under test, as its target file describes it, and goes to
// plugins as JSON. It has references to secrets and never a secret.
type Target struct {
	Name   string `json:"name"`
	Driver Driver `json:"driver"`
	// Services are the microservices and back ends by name.
	Services map[string]Service `json:"services"`
	// Ingress stands in front of all services, when there is one.
	Ingress     *Ingress    `json:"ingress,omitempty"`
	Credentials Credentials `json:"credentials"`
	// Settings are for the plugin alone. NAME in each {file: NAME} has been made
	// absolute from the target file's folder.
	Settings map[string]any `json:"settings,omitempty"`
	// File is the target file, and Places are where in it each setting stands.
	File   string          `json:"file,omitempty"`
	Places document.Places `json:"places,omitempty"`
	// UseExisting says that runs work on existing resources, which the settings
	// name. No target file can say it: who starts a run does.
	UseExisting bool `json:"useExisting,omitempty"`
}

// SettingsSource returns the settings for the plugin to check and decode.
func (t *Target) SettingsSource() *document.File {
	return document.FromContent(cmp.Or(t.File, "target "+t.Name), SettingsField, t.Settings, t.Places)
}

// Driver selects what puts faults on the target. Exactly one is set.
type Driver struct {
	Local      *LocalDriver      `json:"local,omitempty"`
	Kubernetes *KubernetesDriver `json:"kubernetes,omitempty"`
}

// LocalDriver puts faults on processes of this machine.
type LocalDriver struct {
	Cluster string `json:"cluster"` // the absolute path of the file that describes them
}

// KubernetesDriver puts faults on pods by Chaos Mesh.
type KubernetesDriver struct {
	// Kubeconfig is an absolute path. Without one it is $KUBECONFIG, else the
	// cluster that the process runs in, else ~/.kube/config.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"` // empty: the current one
}

type Service struct {
	URL string `json:"url,omitempty"` // of its REST API
	// Address is host:port, or a host alone, of what is not asked over HTTP.
	// A service without labels is held by it.
	Address string `json:"address,omitempty"`
	// Namespace and Labels select its pods. What has no labels has no pods.
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

func (s Service) HasPods() bool { return len(s.Labels) > 0 }

// Host returns the host of the service's address, else of its URL, if any.
func (s Service) Host() string {
	host, _, err := net.SplitHostPort(s.HostPort())
	if err != nil { // no port is known
		return s.HostPort()
	}
	return host
}

// HostPort returns that host with the port of the address or URL, or alone where
// there is none.
func (s Service) HostPort() string {
	if s.Address != "" {
		return s.Address
	}
	parsed, err := url.Parse(s.URL)
	if err != nil || parsed.Host == "" {
		return ""
	}
	port := map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
	return net.JoinHostPort(parsed.Hostname(), cmp.Or(parsed.Port(), port))
}

type Ingress struct {
	URL string `json:"url"`
}

// Credentials are references to what the target demands.
type Credentials struct {
	Token SecretRef `json:"token,omitzero"` // a bearer token
	CA    SecretRef `json:"ca,omitzero"`    // of the target's endpoints, in PEM
}

func (c *Credentials) References() []*SecretRef { return []*SecretRef{&c.Token, &c.CA} }

// SecretRef is the place of a secret. At most one field is set.
type SecretRef struct {
	Env  string `json:"env,omitempty"`  // the name of an environment variable
	File string `json:"file,omitempty"` // an absolute path
}

//go:embed schema.json
var schemaText []byte

var schema = document.Embedded(schemaText)

// Read reads a target file. No problem shows a value where a secret could stand.
func Read(file string) (*Target, document.Problems) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, document.Problems{{File: file, Message: "the target file cannot be read: " + err.Error(), Remedy: "name a target file that is there"}}
	}
	return Parse(file, data)
}

// Parse reads a target from data; file is its name, whose folder references to
// files start from.
func Parse(file string, data []byte) (*Target, document.Problems) {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, document.Problems{{File: file, Message: "its folder is not known: " + err.Error(), Remedy: "give the target file's absolute path"}}
	}
	var read struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec *Target `json:"spec"`
	}
	source := document.Parse(file, data)
	schema().Check(source, "")
	source.Decode("", &read)
	if problems := source.Problems(); len(problems) > 0 {
		return nil, problems
	}
	target := read.Spec
	target.Name, target.File, target.Places = read.Metadata.Name, file, source.Places(SettingsField)
	target.resolve(folder)
	return target, nil
}

// resolve makes file names absolute and removes the trailing slash of URLs.
func (t *Target) resolve(folder string) {
	if local := t.Driver.Local; local != nil {
		local.Cluster = absolute(folder, local.Cluster)
	}
	if cluster := t.Driver.Kubernetes; cluster != nil {
		cluster.Kubeconfig = absolute(folder, cluster.Kubeconfig)
	}
	for _, reference := range t.Credentials.References() {
		reference.File = absolute(folder, reference.File)
	}
	for name, service := range t.Services {
		service.URL = strings.TrimSuffix(service.URL, "/")
		t.Services[name] = service
	}
	if t.Ingress != nil {
		t.Ingress.URL = strings.TrimSuffix(t.Ingress.URL, "/")
	}
	resolveSettings(folder, t.Settings)
}

func absolute(folder, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, name)
}

func resolveSettings(folder string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if name, isText := value["file"].(string); isText && len(value) == 1 {
			value["file"] = absolute(folder, name)
			return
		}
		for _, inner := range value {
			resolveSettings(folder, inner)
		}
	case []any:
		for _, inner := range value {
			resolveSettings(folder, inner)
		}
	}
}
