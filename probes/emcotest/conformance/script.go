package conformance

// The names that the records use.
const (
	app       = "gms-collection-composite-app"
	appPath   = "composite-apps/" + app + "/v1"
	group     = "gms-collection-deployment-intent-group"
	groupPath = "deployment-intent-groups/" + group
	profile   = "gms-collection-composite-profile"
	placement = "gms-collection-placement-intent"
	provider  = "gmsprovider1"
	reference = "/cluster-references/gms-lc-cl-1"
)

// dig is the path of a project's deployment intent group.
func dig(project string) string { return "/v2/projects/" + project + "/" + appPath + "/" + groupPath }

// cloud is the path of a project's logical cloud.
func cloud(project string) string { return "/v2/projects/" + project + "/logical-clouds/default" }

// before is the script: what is done before a record is asked, by its
// number: calls that were not recorded, and waits for what comes by itself.
// Kills and holds are left out where nobody can do them.
var before = map[int][]step{
	116: {register{}, clusters(provider), project("m1", provider), deployment("m1", provider)},
	142: {remove(cloud("m1") + reference)},
	144: {remove(cloud("m1") + reference)},
	147: {reach{cloud("m1"), "Instantiated"}},
	157: {reach{dig("m1"), "Terminated"}},
	159: {reach{dig("m1"), "Instantiated"}},
	168: {reach{dig("m1"), "Instantiated"}},
	// Keeps the moment in which one Service is applied and nothing else.
	170: {hold{rsyncToEdge, []string{
		"PATCH /api/v1/namespaces/default/services/{object}adservice",
		"PATCH /apis/apps/v1/namespaces/default/deployments/{object}currencyservice",
	}}},
	172: {release(rsyncToEdge)},
	174: {reach{dig("m1"), "Terminated"}},
	178: {reach{dig("m1"), "Instantiated"}, accept(dig("m1") + "/terminate"), reach{dig("m1"), "Terminated"}},

	183: {register{}, clusters(provider), project("m2", provider), deployment("m2", provider)},
	194: {reach{cloud("m2"), "Instantiated"}},

	239: {
		register{}, clusters(provider), project("rd1", provider), deployment("rd1", provider), approved("rd1"),
		project("rd2", provider), kill("rsync"),
	},
	242: {restart("rsync")},
	244: {reach{dig("rd1"), "Terminated"}},
	245: {reach{dig("rd1"), "Instantiated"}, kill("rsync")},
	248: {restart("rsync")},
	249: {reach{dig("rd1"), "Terminated"}, kill("rsync")},
	252: {restart("rsync")},
	253: {reach{cloud("rd2"), "Instantiated"}, kill("rsync")},
	255: {restart("rsync")},
	256: {drop(orchestratorToRsync), hold{orchestratorToRsync, nil}},
	258: {release(orchestratorToRsync)},

	260: {
		register{}, clusters(provider), project("md1", provider), deployment("md1", provider), approved("md1"),
		project("md2", provider), broken{first: 260, last: 268, service: "mongo", clients: []string{"orchestrator", "dcm", "clm"}},
	},
	269: {restart("mongo")},
	272: {reach{dig("md1"), "Terminated"}},

	273: {register{}, project("cd0", "prov0"), deployment("cd0", "prov0"), kill("clm")},
	279: {restart("clm")},
	283: {reach{cloud("cd0"), "Instantiated"}},

	285: {register{}, clusters(provider), project("m3", provider)},
	286: {reach{cloud("m3"), "Instantiated"}},
	287: {catch{cloud("m3"), "Terminating", "Terminated"}},
	288: {reach{cloud("m3"), "Terminated"}},
	289: {reach{cloud("m3"), "Instantiated"}},
	290: {reach{cloud("m3"), "Terminated"}},
	293: {
		reach{cloud("m3"), "Instantiated"}, accept(cloud("m3") + "/terminate"), reach{cloud("m3"), "Terminated"},
		deployment("m3", provider),
	},
	295: {project("m4", provider), deployment("m4", provider)},
	297: {reach{cloud("m4"), "Instantiated"}},
	299: {reach{dig("m4"), "Terminated"}},
	306: {reach{cloud("m4"), "Terminated"}},
}

// creation is a POST that makes a resource.
type creation struct{ path, body string }

func named(name string) string { return `{"metadata":{"name":"` + name + `"}}` }

// clusters is a provider with a labelled cluster.
func clusters(provider string) create {
	return create{
		{"/v2/cluster-providers", named(provider)},
		{"/v2/cluster-providers/" + provider + "/clusters", named("gmscluster1")},
		{"/v2/cluster-providers/" + provider + "/clusters/gmscluster1/labels", `{"clusterLabel":"edge-cluster"}`},
	}
}

// project is a project with a logical cloud on a provider's cluster.
func project(name, provider string) create {
	return create{
		{"/v2/projects", named(name)},
		{"/v2/projects/" + name + "/logical-clouds", `{"metadata":{"name":"default"},"spec":{"level":"0"}}`},
		{cloud(name) + "/cluster-references", `{"metadata":{"name":"gms-lc-cl-1"},"spec":{"clusterProvider":"` + provider +
			`","cluster":"gmscluster1","loadBalancerIP":"0.0.0.0"}}`},
	}
}

// deployment is a composite app of a project, with its deployment intent
// group.
func deployment(project, provider string) create {
	apps := "/v2/projects/" + project + "/" + appPath
	list := create{
		{"/v2/projects/" + project + "/composite-apps", `{"metadata":{"name":"` + app + `"},"spec":{"compositeAppVersion":"v1"}}`},
		{apps + "/composite-profiles", named(profile)},
		{apps + "/deployment-intent-groups", `{"metadata":{"name":"` + group + `"},"spec":{"compositeProfile":"` + profile +
			`","version":"r1","overrideValues":[],"logicalCloud":"default"}}`},
		{dig(project) + "/generic-placement-intents", named(placement)},
		{dig(project) + "/intents", `{"metadata":{"name":"gms-collection-deployment-intent"},"spec":{"intent":{"genericPlacementIntent":"` + placement + `"}}}`},
	}
	for _, name := range []string{"adservice", "currencyservice"} {
		list = append(list,
			creation{apps + "/apps", named(name)},
			creation{
				apps + "/composite-profiles/" + profile + "/profiles",
				`{"metadata":{"name":"` + name + `-profile"},"spec":{"app":"` + name + `"}}`,
			},
			creation{
				dig(project) + "/generic-placement-intents/" + placement + "/app-intents",
				`{"metadata":{"name":"` + name + `-placement-intent"},"spec":{"app":"` + name + `","intent":{"allOf":[{"clusterProvider":"` +
					provider + `","clusterLabel":"edge-cluster"}]}}}`,
			},
		)
	}
	return list
}

// approved takes a project's logical cloud to Instantiated and its deployment
// intent group to Approved.
func approved(project string) several {
	return several{
		accept(cloud(project) + "/instantiate"), reach{cloud(project), "Instantiated"}, accept(dig(project) + "/approve"),
	}
}
