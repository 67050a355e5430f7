package lifecycle

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// Query is what a status request asks for.
type Query struct {
	Type    string // deployed, ready, or "" for the old names
	Summary bool   // leaves the apps out
}

// ParseQuery reads the query of a status request.
func ParseQuery(r *http.Request) (Query, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return Query{}, rest.BadRequest(err.Error())
	}
	query := Query{Type: values.Get("status"), Summary: values.Get("output") == "summary"}
	if values.Has("status") && query.Type != "deployed" && query.Type != "ready" {
		return Query{}, rest.BadRequest("Invalid query status")
	}
	if values.Has("output") && !slices.Contains([]string{"summary", "all", "detail"}, values.Get("output")) {
		return Query{}, rest.BadRequest("Invalid query output")
	}
	return query, nil
}

// Status is what EMCO answers about a resource with a life. The order of the fields is EMCO's.
type Status struct {
	Project             string         `json:"project,omitempty"`
	CompositeApp        string         `json:"compositeApp,omitempty"`
	CompositeAppVersion string         `json:"compositeAppVersion,omitempty"`
	CompositeProfile    string         `json:"compositeProfile,omitempty"`
	Name                string         `json:"name,omitempty"`
	States              Info           `json:"states"`
	Status              string         `json:"status,omitempty"`
	RsyncStatus         map[string]int `json:"rsyncStatus,omitempty"`
	DeployedStatus      string         `json:"deployedStatus,omitempty"`
	DeployedCounts      map[string]int `json:"deployedCounts,omitempty"`
	ReadyStatus         string         `json:"readyStatus,omitempty"`
	ReadyCounts         map[string]int `json:"readyCounts,omitempty"`
	Apps                []App          `json:"apps,omitempty"`
}

// App is an app's part of a status.
type App struct {
	Name     string    `json:"name"`
	Clusters []Cluster `json:"clusters"`
}

// Cluster is an app's part of a status on one cluster.
type Cluster struct {
	Provider     string     `json:"clusterProvider"`
	Name         string     `json:"cluster"`
	ReadyStatus  string     `json:"readyStatus,omitempty"`
	Connectivity string     `json:"connectivity,omitempty"`
	Resources    []Resource `json:"resources,omitempty"`
}

// GVK is a kind of Kubernetes objects.
type GVK struct {
	Group   string
	Version string
	Kind    string
}

// Resource is one Kubernetes object's part of a status.
type Resource struct {
	GVK            GVK    `json:"GVK"`
	Name           string `json:"name"`
	RsyncStatus    string `json:"rsyncStatus,omitempty"`
	DeployedStatus string `json:"deployedStatus,omitempty"`
	ReadyStatus    string `json:"readyStatus,omitempty"`
}

// notPresent is the readiness of every resource where no monitor reports from the cluster.
const notPresent = "NotPresent"

// Add completes a status by what the AppContext says.
func (s *Status) Add(deployed appcontext.Context, query Query) {
	counts := map[string]int{}
	resources := 0
	for _, app := range deployed.Apps {
		one := App{Name: app.Name}
		for _, cluster := range app.Clusters {
			provider, name, _ := strings.Cut(cluster.Name, "+")
			part := Cluster{Provider: provider, Name: name}
			if query.Type == "" {
				part.ReadyStatus = cluster.Connectivity
			} else {
				part.Connectivity = cluster.Connectivity
			}
			for _, resource := range cluster.Resources {
				counts[resource.State]++
				resources++
				part.Resources = append(part.Resources, describe(resource, query))
			}
			if len(part.Resources) > 0 {
				one.Clusters = append(one.Clusters, part)
			}
		}
		if len(one.Clusters) > 0 && !query.Summary {
			s.Apps = append(s.Apps, one)
		}
	}
	switch query.Type {
	case "":
		s.Status, s.RsyncStatus = string(deployed.State), counts
	case "deployed":
		s.DeployedStatus, s.DeployedCounts = string(deployed.State), counts
	case "ready":
		s.DeployedStatus, s.ReadyStatus = string(deployed.State), "Ready"
		if resources > 0 {
			s.ReadyStatus, s.ReadyCounts = "NotReady", map[string]int{notPresent: resources}
		}
	}
}

func describe(resource appcontext.Resource, query Query) Resource {
	var object struct {
		APIVersion string `yaml:"apiVersion"`
	}
	_ = yaml.Unmarshal([]byte(resource.Manifest), &object) // it was made from YAML
	name, kind, _ := strings.Cut(resource.Name, "+")
	described := Resource{Name: name, GVK: GVK{Version: object.APIVersion, Kind: kind}}
	if group, version, grouped := strings.Cut(object.APIVersion, "/"); grouped {
		described.GVK.Group, described.GVK.Version = group, version
	}
	switch query.Type {
	case "":
		described.RsyncStatus = resource.State
	case "deployed":
		described.DeployedStatus = resource.State
	case "ready":
		described.ReadyStatus = notPresent
	}
	return described
}
