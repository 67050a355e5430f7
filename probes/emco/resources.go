package emco

import (
	"path"
	"strings"
)

type Kind string

// The kinds of resource that a run makes, in the order of their making.
const (
	Project                Kind = "project"
	ClusterProvider        Kind = "cluster provider"
	Cluster                Kind = "cluster"
	ClusterLabel           Kind = "cluster label"
	LogicalCloud           Kind = "logical cloud"
	ClusterReference       Kind = "cluster reference"
	CompositeApp           Kind = "composite app"
	App                    Kind = "app"
	CompositeProfile       Kind = "composite profile"
	Profile                Kind = "profile"
	DeploymentIntentGroup  Kind = "deployment intent group"
	GenericPlacementIntent Kind = "generic placement intent"
	AppIntent              Kind = "app intent"
	Intent                 Kind = "intent"
)

// Resource is one resource of an attempt: where it is and what makes it.
type Resource struct {
	Kind   Kind
	Anchor string
	// Group is the number of the deployment intent group that it belongs to; 0 for
	// what all share.
	Group  int
	Create Request // the POST that makes it
}

// Unmarked reports whether EMCO need not answer with a userData1. The resource
// belongs to the run that its parent belongs to.
func (r Resource) Unmarked() bool { return r.Kind == ClusterLabel || r.Kind == AppIntent }

type fields map[string]any

func body(name, userData1 string, spec fields) fields {
	made := fields{"metadata": fields{"name": name, "description": "made by emco-chaos", "userData1": userData1, "userData2": ""}}
	if spec != nil {
		made["spec"] = spec
	}
	return made
}

// Material is the content of an attempt's resources, besides their names.
type Material struct {
	Kubeconfig []byte   // of the edge cluster
	Apps       []string // names, from which the charts are made
}

// All lists the resources of an attempt, with those of all groups, in the order in
// which EMCO wants them made; backwards it is the order in which it lets them go.
func (n Names) All(material Material) []Resource {
	var all []Resource
	for i, group := range n.Groups() {
		for _, resource := range group.Resources(material) {
			if i == 0 || resource.Group > 0 {
				all = append(all, resource)
			}
		}
	}
	return all
}

// Resources lists what one group needs, itself and what all share, in the order of
// [Names.All].
func (n Names) Resources(material Material) (list []Resource) {
	at := n.Anchor
	add := func(kind Kind, anchor string, spec fields, file *File) {
		collection, name := path.Dir(anchor), path.Base(anchor)
		if kind == CompositeApp { // its anchor ends in its version
			collection, name = path.Dir(collection), path.Base(collection)
		}
		resource := Resource{Kind: kind, Anchor: anchor, Create: Post(collection)}
		resource.Create.JSON, resource.Create.File = body(name, n.userData(), spec), file
		if kind == ClusterLabel {
			resource.Create.JSON = fields{"clusterLabel": name}
		}
		if strings.HasPrefix(anchor+"/", at("{compositeApp}/")) {
			resource.Group = max(n.group, 1)
		}
		list = append(list, resource)
	}

	add(Project, at("{project}"), nil, nil)
	add(ClusterProvider, at("{provider}"), nil, nil)
	add(Cluster, at("{cluster}"), nil, &File{"kubeconfig", material.Kubeconfig})
	add(ClusterLabel, at("{label}"), nil, nil)
	add(LogicalCloud, at("{logicalCloud}"), fields{"level": "0"}, nil) // the cluster's own administrator's
	add(ClusterReference, at("{reference}"),
		fields{"clusterProvider": n.name("cluster-provider"), "cluster": n.name("cluster"), "loadBalancerIP": "0.0.0.0"}, nil)
	add(CompositeApp, at("{compositeApp}"), fields{"compositeAppVersion": n.name(versionField)}, nil)
	for _, app := range material.Apps {
		add(App, at("{compositeApp}/apps/")+app, nil, &File{app + ".tgz", chart(n, app)})
	}
	add(CompositeProfile, at("{compositeProfile}"), nil, nil)
	for _, app := range material.Apps {
		add(Profile, at("{compositeProfile}/profiles/")+app+"-profile", fields{"app": app}, &File{app + "-profile.tgz", ProfileArchive(0)})
	}
	add(DeploymentIntentGroup, at("{dig}"), fields{
		"compositeProfile": n.name("composite-profile"), "version": "r1", "logicalCloud": n.name("logical-cloud"), "overrideValues": []string{},
	}, nil)
	add(GenericPlacementIntent, at("{placement}"), nil, nil)
	edges := fields{"allOf": []fields{{"clusterProvider": n.name("cluster-provider"), "clusterLabel": n.name("cluster-label")}}}
	for _, app := range material.Apps {
		add(AppIntent, at("{placement}/app-intents/")+app+"-placement", fields{"app": app, "intent": edges}, nil)
	}
	add(Intent, at("{intent}"), fields{"intent": fields{"genericPlacementIntent": n.name("generic-placement-intent")}}, nil)
	return list
}

// RsyncController is the POST that registers rsync, for all who use the EMCO.
func (n Names) RsyncController(host string, port int) Request {
	r := Post("controllers")
	r.JSON = body(RsyncName, n.Mark(), fields{"host": host, "port": port})
	return r
}

// RsyncName is the name under which EMCO looks rsync up.
const RsyncName = "rsync"
