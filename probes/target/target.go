// Package target describes the system under test and reads the target file:
// endpoints, references to credentials, and where the pods of each service are.
package target

import (
	"cmp"
	"net"
	"net/url"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// SettingsField is where the settings stand in a target file.
const SettingsField = "spec.settings"

// Target is the system under test, as its target file describes it. It goes
// to plugins as JSON. It has references to secrets and never a secret.
type Target struct {
	Name   string `json:"name"`
	Driver Driver `json:"driver"`
	// Services are the microservices and back ends by name.
	Services map[string]Service `json:"services"`
	// Ingress stands in front of all services, when there is one.
	Ingress     *Ingress    `json:"ingress,omitempty"`
	Credentials Credentials `json:"credentials"`
	// Settings are for the plugin alone, in JSON's types. Wherever
	// a mapping in them is {file: NAME} and nothing else, NAME has been made
	// absolute from the target file's folder.
	Settings map[string]any `json:"settings,omitempty"`
	// File is the target file's name, and Places are where in it each of the
	// settings stands, for the problems that the plugin has with them.
	File   string          `json:"file,omitempty"`
	Places document.Places `json:"places,omitempty"`
	// UseExisting says that runs work on resources that exist already, which
	// the settings name, in place of ones of their own. No target file can
	// say it: who starts a run does.
	UseExisting bool `json:"useExisting,omitempty"`
}

// SettingsSource returns the settings as a part of the target file, for the
// plugin to check and decode.
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
	// Cluster is the absolute path of the file that describes the processes.
	Cluster string `json:"cluster"`
}

// KubernetesDriver puts faults on pods by Chaos Mesh.
type KubernetesDriver struct {
	// Kubeconfig is the absolute path of the cluster's kubeconfig. Without one
	// it is $KUBECONFIG, else the cluster that the process runs in, else
	// ~/.kube/config.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Context is the kubeconfig's context; empty is its current one.
	Context string `json:"context,omitempty"`
}

// Service is one microservice or back end.
type Service struct {
	// URL is where its REST API is, when it has one.
	URL string `json:"url,omitempty"`
	// Address is host:port, or a host alone, of what is not asked over HTTP.
	// A service without labels is held by it.
	Address string `json:"address,omitempty"`
	// Namespace and Labels select its pods. What has no labels has no pods.
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// HasPods reports whether faults can select the service's pods.
func (s Service) HasPods() bool { return len(s.Labels) > 0 }

// Host returns the host of the service's address, or of its URL; empty when it
// has neither.
func (s Service) Host() string {
	if s.Address != "" {
		if host, _, err := net.SplitHostPort(s.Address); err == nil {
			return host
		}
		return s.Address
	}
	if parsed, err := url.Parse(s.URL); err == nil {
		return parsed.Hostname()
	}
	return ""
}

// Ingress is one endpoint for all services.
type Ingress struct {
	URL string `json:"url"`
}

// Credentials are references to what the target demands.
type Credentials struct {
	// Token is a bearer token.
	Token *SecretRef `json:"token,omitempty"`
	// CA is the certificate authority of the target's endpoints, in PEM.
	CA *SecretRef `json:"ca,omitempty"`
}

// References returns those that are set.
func (c Credentials) References() []*SecretRef {
	var set []*SecretRef
	for _, reference := range []*SecretRef{c.Token, c.CA} {
		if reference != nil {
			set = append(set, reference)
		}
	}
	return set
}

// SecretRef is the place of a secret. Exactly one field is set.
type SecretRef struct {
	// Env is the name of an environment variable.
	Env string `json:"env,omitempty"`
	// File is an absolute path.
	File string `json:"file,omitempty"`
}
