package emcotest_test

import (
	"net/http"
	"strings"
	"testing"
)

// The names that the recorded calls use.
const (
	gmsCompositeApp = "composite-apps/gms-collection-composite-app/v1"
	gmsDIG          = "deployment-intent-groups/gms-collection-deployment-intent-group"
	gmsProvider     = "gmsprovider1"
)

// digOf is the path of a project's deployment intent group.
func digOf(project string) string {
	return "/v2/projects/" + project + "/" + gmsCompositeApp + "/" + gmsDIG
}

// cloudOf is the path of a project's logical cloud.
func cloudOf(project string) string { return "/v2/projects/" + project + "/logical-clouds/default" }

// step is one resource to create.
type step struct {
	path, body string
	file       []byte
}

func named(name string) string { return `{"metadata":{"name":"` + name + `"}}` }

// create creates resources one after the other, and demands 201.
func create(t *testing.T, c caller, steps ...[]step) {
	t.Helper()
	for _, several := range steps {
		for _, each := range several {
			if got := c.create("/v2/"+each.path, each.body, each.file); got.status != http.StatusCreated {
				t.Fatalf("POST %s: %d %s %v, want 201", each.path, got.status, got.body, got.err)
			}
		}
	}
}

// controllers registers rsync at an address.
func controllers(address string) []step {
	host, port, _ := strings.Cut(address, ":")
	return []step{{path: "controllers", body: `{"metadata":{"name":"rsync"},"spec":{"host":"` + host + `","port":` + port + `}}`}}
}

// clusters is a provider with a labelled cluster.
func clusters(provider string) []step {
	return []step{
		{path: "cluster-providers", body: named(provider)},
		{path: "cluster-providers/" + provider + "/clusters", body: named("gmscluster1"), file: []byte("apiVersion: v1\nkind: Config\n")},
		{path: "cluster-providers/" + provider + "/clusters/gmscluster1/labels", body: `{"clusterLabel":"edge-cluster"}`},
	}
}

// cloud is a project with a logical cloud.
func cloud(project, provider string) []step {
	return []step{
		{path: "projects", body: named(project)},
		{path: "projects/" + project + "/logical-clouds", body: `{"metadata":{"name":"default"},"spec":{"level":"0"}}`},
		{path: "projects/" + project + "/logical-clouds/default/cluster-references", body: `{"metadata":{"name":"gms-lc-cl-1"},"spec":{"clusterProvider":"` +
			provider + `","cluster":"gmscluster1","loadBalancerIP":"0.0.0.0"}}`},
	}
}

// group is a composite app with its deployment intent group.
func group(project, provider string) []step {
	app := "projects/" + project + "/" + gmsCompositeApp
	dig := app + "/" + gmsDIG
	steps := []step{
		{path: "projects/" + project + "/composite-apps", body: `{"metadata":{"name":"gms-collection-composite-app"},"spec":{"compositeAppVersion":"v1"}}`},
		{path: app + "/composite-profiles", body: named("gms-collection-composite-profile")},
		{path: app + "/deployment-intent-groups", body: `{"metadata":{"name":"gms-collection-deployment-intent-group"},"spec":{` +
			`"compositeProfile":"gms-collection-composite-profile","version":"r1","overrideValues":[],"logicalCloud":"default"}}`},
		{path: dig + "/generic-placement-intents", body: named("gms-collection-placement-intent")},
		{path: dig + "/intents", body: `{"metadata":{"name":"gms-collection-deployment-intent"},"spec":{"intent":{"genericPlacementIntent":"gms-collection-placement-intent"}}}`},
	}
	for _, name := range []string{"adservice", "currencyservice"} {
		steps = append(steps,
			step{path: app + "/apps", body: named(name), file: chartOf(name)},
			step{
				path: app + "/composite-profiles/gms-collection-composite-profile/profiles",
				body: `{"metadata":{"name":"` + name + `-profile"},"spec":{"app":"` + name + `"}}`, file: profileOf(),
			},
			step{
				path: dig + "/generic-placement-intents/gms-collection-placement-intent/app-intents",
				body: `{"metadata":{"name":"` + name + `-placement-intent"},"spec":{"app":"` + name + `","intent":{"allOf":[{"clusterProvider":"` +
					provider + `","clusterLabel":"edge-cluster"}]}}}`,
			},
		)
	}
	return steps
}

// prefixed makes a group's objects carry the project's name on the edge.
func prefixed(steps []step, project string) []step {
	var values []string
	for _, app := range []string{"adservice", "currencyservice"} {
		values = append(values, `{"app":"`+app+`","values":{"prefix":"`+project+`-"}}`)
	}
	for i := range steps {
		steps[i].body = strings.Replace(steps[i].body, `"overrideValues":[]`, `"overrideValues":[`+strings.Join(values, ",")+`]`, 1)
	}
	return steps
}

// approved makes a project whose logical cloud is Instantiated and whose deployment intent group is Approved.
func approved(t *testing.T, c caller, project string) {
	t.Helper()
	create(t, c, cloud(project, gmsProvider), prefixed(group(project, gmsProvider), project))
	c.accept(t, cloudOf(project)+"/instantiate")
	c.reach(t, cloudOf(project), "Instantiated")
	c.accept(t, digOf(project)+"/approve")
}

// instantiated makes a project whose deployment intent group is Instantiated.
func instantiated(t *testing.T, c caller, project string) {
	t.Helper()
	approved(t, c, project)
	c.accept(t, digOf(project)+"/instantiate")
	c.reach(t, digOf(project), "Instantiated")
}
