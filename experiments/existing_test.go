package experiments_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// existing is the sample target, told to use what its settings name.
func existing(t *testing.T, names any) *target.Target {
	t.Helper()
	target := sampleTarget(t)
	target.UseExisting = true
	target.Settings = map[string]any{"existing": names}
	if names == nil {
		target.Settings = nil
	}
	return target
}

func shop() map[string]any {
	return map[string]any{"project": "p", "logicalCloud": "l", "compositeApp": "a", "compositeAppVersion": "v1", "dig": "d"}
}

// TestTouches: each experiment says what it does to which resource that exists
// already, or why it cannot, and without being told to it touches none.
func TestTouches(t *testing.T) {
	const (
		cloud   = "projects/p/logical-clouds/l: "
		group   = "projects/p/composite-apps/a/v1/deployment-intent-groups/d: "
		cloudUp = cloud + "brought to Instantiated before each attempt (instantiate if it is Created; instantiate if it is Terminated)"
		toStart = group + "brought to Approved before each attempt (approve if it is Created; terminate, approve if it is Instantiated; approve if it is Terminated); then the experiment: instantiate"
		toStop  = group + "brought to Instantiated before each attempt (approve, instantiate if it is Created; instantiate if it is Approved; instantiate if it is Terminated); then the experiment: terminate"
		fresh   = cloud + "must be Created before each attempt; then the experiment: instantiate"
		stop    = cloudUp + "; then the experiment: terminate"
	)
	want := map[string][]string{
		"dig-instantiate-in-flight":             {cloudUp, toStart},
		"dig-instantiate-status-lost":           {cloudUp, toStart},
		"dig-terminate-in-flight":               {cloudUp, toStop},
		"dig-terminate-status-lost":             {cloudUp, toStop},
		"service-refused":                       {cloudUp, toStop},
		"logical-cloud-instantiate-in-flight":   {fresh},
		"logical-cloud-instantiate-status-lost": {fresh},
		"logical-cloud-terminate-in-flight":     {stop},
		"logical-cloud-terminate-status-lost":   {stop},
	}
	for _, name := range experiments.Names() {
		if got := compiled(t, name, nil).Touches; len(got) > 0 {
			t.Errorf("%s touches %q without being told to", name, got)
		}
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		result, problems := experiments.Compile(source, existing(t, shop()), nil)
		if want[name] == nil {
			const refusal = "cluster-provider-clm-restart.yaml: spec.given.clusterProvider: is absent, and a run on existing resources deletes nothing; run this experiment without --use-existing"
			if result != nil || problems.Error() != refusal {
				t.Errorf("%s: %v", name, problems)
			}
			continue
		}
		if len(problems) > 0 || !slices.Equal(result.Touches, want[name]) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, problems, result.Touches, want[name])
		}
	}
}

// TestExistingRefuses: what the target lacks is told with the field and the
// remedy.
func TestExistingRefuses(t *testing.T) {
	const remedy = "; write settings: {existing: {project: NAME, logicalCloud: NAME, compositeApp: NAME, compositeAppVersion: NAME, dig: NAME}}, with what the experiment needs"
	without := func(keys ...string) map[string]any {
		names := shop()
		for _, key := range keys {
			delete(names, key)
		}
		return names
	}
	with := func(key string, value any) map[string]any {
		names := shop()
		names[key] = value
		return names
	}
	for _, test := range []struct {
		experiment string
		names      any
		want       []string
	}{
		{"dig-terminate-in-flight", nil, []string{"spec.settings.existing: is missing" + remedy}},
		{"dig-terminate-in-flight", map[string]any{}, []string{"spec.settings.existing: names nothing" + remedy}},
		{"dig-terminate-in-flight", "p", []string{"spec.settings.existing: names nothing" + remedy}},
		{"dig-terminate-in-flight", without("dig", "compositeAppVersion"), []string{
			"spec.settings.existing.compositeAppVersion: is missing, and dig-terminate-in-flight needs it" + remedy,
			"spec.settings.existing.dig: is missing, and dig-terminate-in-flight needs it" + remedy,
		}},
		{"logical-cloud-terminate-in-flight", without("logicalCloud", "dig", "compositeApp", "compositeAppVersion"), []string{
			"spec.settings.existing.logicalCloud: is missing, and logical-cloud-terminate-in-flight needs it" + remedy,
		}},
		{"logical-cloud-terminate-in-flight", without("dig", "compositeApp", "compositeAppVersion"), nil},
		{"dig-terminate-in-flight", with("digs", "d"), []string{
			"spec.settings.existing.digs: is not known; write one of cluster, clusterLabel, clusterProvider, clusterReference, compositeApp, compositeAppVersion, compositeProfile, dig, genericPlacementIntent, intent, logicalCloud, project",
		}},
		{"dig-terminate-in-flight", with("dig", 7.0), []string{"spec.settings.existing.dig: is no name; write the resource's name; a number in quotes"}},
		{"dig-terminate-in-flight", with("compositeApp", "../x"), []string{
			`spec.settings.existing.compositeApp: "../x" cannot name a resource of EMCO's; use letters, digits, hyphens, underscores and dots, with a letter or digit at both ends`,
		}},
	} {
		source, err := experiments.Read(test.experiment)
		if err != nil {
			t.Fatal(err)
		}
		target := existing(t, test.names)
		result, problems := experiments.Compile(source, target, nil)
		var got []string
		for _, problem := range problems {
			got = append(got, strings.TrimPrefix(problem.Error(), "target "+target.Name+": "))
		}
		if !slices.Equal(got, test.want) || (result == nil) != (len(test.want) > 0) {
			t.Errorf("%s on %v:\ngot  %q\nwant %q", test.experiment, test.names, got, test.want)
		}
	}
	source, err := experiments.Read("service-refused")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := experiments.Compile(source, existing(t, shop()), map[string]string{"call": "cluster.create"})
	if want := "service-refused.yaml: spec.given.cluster: is absent"; !strings.HasPrefix(problems.Error(), want) {
		t.Errorf("got %v, want %s", problems, want)
	}
}

// TestNoTargetFileSaysUseExisting: only who starts a run does.
func TestNoTargetFileSaysUseExisting(t *testing.T) {
	for _, line := range []string{"useExisting: true", "UseExisting: true"} {
		_, problems := target.Parse("target.yaml", []byte(`apiVersion: emco-chaos/v1
kind: Target
metadata: {name: t}
spec:
  driver: {kubernetes: {}}
  services: {dcm: {url: "http://x:1"}}
  `+line+"\n"))
		if len(problems) != 1 || !strings.HasPrefix(problems.Error(), "target.yaml:7:") {
			t.Errorf("%s: %v", line, problems)
		}
	}
}
