package orchestrator

import (
	"context"
	"net/http"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/chart"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/lifecycle"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// The paths of the collections, below /v2/.
const (
	projects          = "projects"
	compositeApps     = projects + "/{project}/composite-apps"
	compositeApp      = compositeApps + "/{compositeApp}/{compositeAppVersion}"
	apps              = compositeApp + "/apps"
	compositeProfiles = compositeApp + "/composite-profiles"
	profiles          = compositeProfiles + "/{compositeProfile}/profiles"
	digs              = compositeApp + "/deployment-intent-groups"
	intents           = digs + "/{deploymentIntentGroup}/intents"
	placements        = digs + "/{deploymentIntentGroup}/generic-placement-intents"
	appIntents        = placements + "/{genericPlacementIntent}/app-intents"
)

// digDepth is the number of parts that a deployment intent group's key has below projects/.
const digDepth = 6

// ControllerSpec says where a controller is reached.
type ControllerSpec struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Type     string `json:"type"`
	Priority int    `json:"priority"`
}

type controller struct {
	Metadata rest.Metadata  `json:"metadata"`
	Spec     ControllerSpec `json:"spec"`
}

func (c controller) Key() string        { return c.Metadata.Name }
func (c controller) Problems() []string { return rest.NameProblems(c.Metadata.Name) }

// plain is a resource that has nothing but metadata: projects, apps, composite profiles, placement intents.
type plain struct {
	Metadata rest.Metadata `json:"metadata"`
}

func (p plain) Key() string        { return p.Metadata.Name }
func (p plain) Problems() []string { return rest.NameProblems(p.Metadata.Name) }

type application struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		Version string `json:"compositeAppVersion"`
	} `json:"spec"`
}

func (a application) Key() string        { return a.Metadata.Name + "/" + a.Spec.Version }
func (a application) Problems() []string { return rest.NameProblems(a.Metadata.Name, a.Spec.Version) }

type profile struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		App string `json:"app"`
	} `json:"spec"`
}

func (p profile) Key() string        { return p.Metadata.Name }
func (p profile) Problems() []string { return rest.NameProblems(p.Metadata.Name) }

type override struct {
	App    string            `json:"app"`
	Values map[string]string `json:"values"`
}

type dig struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		CompositeProfile string     `json:"compositeProfile"`
		Version          string     `json:"version"`
		OverrideValues   []override `json:"overrideValues"`
		LogicalCloud     string     `json:"logicalCloud"`
	} `json:"spec"`
}

func (d dig) Key() string { return d.Metadata.Name }

func (d dig) Problems() []string {
	problems := rest.NameProblems(d.Metadata.Name)
	if d.Spec.OverrideValues == nil {
		problems = append(problems, "Invalid type. Expected: array, given: null")
	}
	return append(problems, rest.NameProblems(d.Spec.CompositeProfile, d.Spec.Version, d.Spec.LogicalCloud)...)
}

type intent struct {
	Metadata rest.Metadata `json:"metadata"`
	Spec     struct {
		Intent map[string]string `json:"intent"`
	} `json:"spec"`
}

func (i intent) Key() string        { return i.Metadata.Name }
func (i intent) Problems() []string { return rest.NameProblems(i.Metadata.Name) }

// appIntent places an app. Unlike the others its metadata shows only what was given.
type appIntent struct {
	Metadata struct {
		Name        string `json:"name"`
		Description string `json:"description,omitempty"`
		UserData1   string `json:"userData1,omitempty"`
		UserData2   string `json:"userData2,omitempty"`
	} `json:"metadata"`
	Spec struct {
		App    string    `json:"app"`
		Intent placement `json:"intent"`
	} `json:"spec"`
}

func (a appIntent) Key() string        { return a.Metadata.Name }
func (a appIntent) Problems() []string { return rest.NameProblems(a.Metadata.Name) }

// placement names clusters: all of them, or any of a group.
type placement struct {
	AllOf []choice `json:"allOf,omitempty"`
	AnyOf []choice `json:"anyOf,omitempty"`
}

type choice struct {
	Provider string   `json:"clusterProvider,omitempty"`
	Cluster  string   `json:"cluster,omitempty"`
	Label    string   `json:"clusterLabel,omitempty"`
	AnyOf    []choice `json:"anyOf,omitempty"`
}

// registerResources adds all that is created, listed, read and deleted and has no life of its own.
func (o *orchestrator) registerResources(router *rest.Router) {
	rest.Collection[controller]{
		Store: o.Store, Path: "controllers",
		Duplicate: "Controller already exists", Missing: "Controller not found",
		Created: func(ctx context.Context, key string) error {
			if key == "controllers/rsync" {
				_ = o.rsync.Dial(ctx) // a connection that fails shows when it is used
			}
			return nil
		},
	}.Register(router)
	rest.Collection[plain]{
		Store: o.Store, Path: projects, Item: "{project}",
		Duplicate: "Project already exists", Missing: "Project not found",
		Remove: func(ctx context.Context, key string) error {
			if _, err := rest.Find[plain](ctx, o.Store, key, "Project not found"); err != nil {
				return err
			}
			return o.Store.Remove(ctx, key)
		},
	}.Register(router)
	rest.Collection[application]{
		Store: o.Store, Path: compositeApps, Item: "{compositeApp}/{compositeAppVersion}",
		Duplicate: "App already exists", Missing: "CompositeApp not found",
	}.Register(router)
	rest.Collection[plain]{
		Store: o.Store, Path: apps, Item: "{app}", File: rest.Archive,
		Duplicate: "App already exists", Missing: "App not found",
	}.Register(router)
	rest.Collection[plain]{
		Store: o.Store, Path: compositeProfiles, Item: "{compositeProfile}",
		Duplicate: "CompositeProfile already exists", Missing: "CompositeProfile not found",
	}.Register(router)
	rest.Collection[profile]{
		Store: o.Store, Path: profiles, Item: "{profile}", File: rest.Archive, Plain: true,
		Duplicate: "AppProfile already exists", Missing: "AppProfile not found",
	}.Register(router)
	rest.Collection[dig]{
		Store: o.Store, Path: digs, Item: "{deploymentIntentGroup}",
		Duplicate: "Intent already exists", Missing: "DeploymentIntentGroup not found",
		Created: func(ctx context.Context, key string) error {
			return o.Store.Insert(ctx, key, "", rest.State, lifecycle.Info{}.With(lifecycle.Created, "", 0))
		},
		Remove: o.removeDIG,
	}.Register(router)
	rest.Collection[intent]{
		Store: o.Store, Path: intents, Item: "{intent}",
		Duplicate: "Intent already exists", Missing: "Intent not found",
	}.Register(router)
	rest.Collection[plain]{
		Store: o.Store, Path: placements, Item: "{genericPlacementIntent}",
		Duplicate: "Intent already exists", Missing: "GenericPlacementIntent not found",
	}.Register(router)
	rest.Collection[appIntent]{
		Store: o.Store, Path: appIntents, Item: "{appIntent}",
		Duplicate: "Intent already exists", Missing: "AppIntent not found",
	}.Register(router)
}

// manifests renders the chart of an app as its profile and its deployment intent group want it.
func (o *orchestrator) manifests(ctx context.Context, r *http.Request, group dig, app, namespace string) ([]chart.Manifest, error) {
	var archive []byte
	if err := o.Store.Find(ctx, rest.Expand(apps, r)+"/"+app, rest.Content, &archive); err != nil {
		return nil, dbFind(err)
	}
	values, err := o.profileValues(ctx, r, group, app)
	if err != nil {
		return nil, err
	}
	release := chart.Release{Name: group.Spec.Version, Namespace: namespace, Values: values}
	for _, each := range group.Spec.OverrideValues {
		if each.App == app {
			release.Set = each.Values
		}
	}
	rendered, err := chart.Render(archive, release)
	if err != nil {
		return nil, rest.Failure("Unable to get the sorted templates for app: " + err.Error())
	}
	return rendered, nil
}
