package experiments_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// existing is the sample target with this in its settings, told to use what
// exists.
func existing(t *testing.T, setting string) *target.Target {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "target.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	read, problems := target.Parse("target.yaml", []byte(strings.Replace(string(text), "  settings:\n", "  settings:\n    "+setting+"\n", 1)))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	read.UseExisting = true
	return read
}

const shop = "existing: {project: p, logicalCloud: l, compositeApp: a, compositeAppVersion: v1, dig: d}"

// TestBlastRadius: each experiment says what it does to which resource that exists
// already, or why it cannot, and without being told to it touches none.
func TestBlastRadius(t *testing.T) {
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
		"all-services-die-idle":                 {cloudUp, toStop},
		"all-services-die-in-flight":            {cloudUp, toStart},
		"dig-instantiate-edge-unreachable":      {cloudUp, toStart},
		"dig-instantiate-reissued-twice":        {cloudUp, toStart},
		"dig-instantiate-rsync-dies":            {cloudUp, toStart},
		"dig-terminate-edge-unreachable":        {cloudUp, toStop},
		"etcd-restart":                          {cloudUp, toStop},
		"mongo-restart":                         {cloudUp, toStart},
		"logical-cloud-instantiate-in-flight":   {fresh},
		"logical-cloud-instantiate-status-lost": {fresh},
		"logical-cloud-terminate-in-flight":     {stop},
		"logical-cloud-terminate-status-lost":   {stop},
	}
	for _, name := range experiments.Names() {
		if got := compiled(t, name, nil).BlastRadius; len(got) > 0 {
			t.Errorf("%s works on %q without being told to", name, got)
		}
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		result, problems := experiments.Compile(source, existing(t, shop), nil)
		if want[name] == nil {
			refusal := map[string]string{
				"cluster-provider-clm-restart":      "cluster-provider-clm-restart.yaml:36:11: spec.given.clusterProvider: is absent, and a run on existing resources deletes nothing; ",
				"dig-instantiate-several-in-flight": "dig-instantiate-several-in-flight.yaml:42:54: spec.given.dig2: is there, and a run on existing resources has one group; ",
			}
			if result != nil || problems.Error() != refusal[name]+"run this experiment without --use-existing" {
				t.Errorf("%s: %v", name, problems)
			}
			continue
		}
		if len(problems) > 0 || !slices.Equal(result.BlastRadius, want[name]) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", name, problems, result.BlastRadius, want[name])
		}
	}
}

// TestNoBlastRadius: an experiment that works on no resource cannot be run on
// existing ones.
func TestNoBlastRadius(t *testing.T) {
	source := experiments.Source{File: "own.yaml", Data: []byte(`apiVersion: emco-chaos/v1
kind: Experiment
metadata: {name: own}
spec:
  title: Nothing is done
  control: true
  given: {}
  steps:
    look: {probe: {available: dcm}}
  evidence: [look.passed]
`)}
	if _, problems := experiments.Compile(source, sampleTarget(t), nil); len(problems) > 0 {
		t.Errorf("on resources of its own: %v", problems)
	}
	_, problems := experiments.Compile(source, existing(t, shop), nil)
	if want := "own.yaml:4:1: spec: own works on no resource that could exist already; run this experiment without --use-existing"; problems.Error() != want {
		t.Errorf("got %v", problems)
	}
}

// TestSettingsRefuses: what the target lacks, and what is not known in it, is
// told with its place, and never shown where it could be a secret.
func TestSettingsRefuses(t *testing.T) {
	const (
		remedy = "; write settings: {existing: {project: NAME, logicalCloud: NAME, compositeApp: NAME, compositeAppVersion: NAME, dig: NAME}}, with what the experiment needs"
		edge   = "; use one of: apps, edge, emcoctl, existing"
	)
	for _, test := range []struct {
		experiment, setting string
		want                []string
	}{
		{"dig-terminate-in-flight", "", []string{"17:3: spec.settings.existing: is missing" + remedy}},
		{"dig-terminate-in-flight", "existing: {}", []string{"18:15: spec.settings.existing: names nothing" + remedy}},
		{"dig-terminate-in-flight", "existing: p", []string{"18:15: spec.settings.existing: is text, not a mapping" + remedy}},
		{"dig-terminate-in-flight", "existing: {project: p, logicalCloud: l, compositeApp: a}", []string{
			"18:5: spec.settings.existing.compositeAppVersion: is missing, and dig-terminate-in-flight needs it" + remedy,
			"18:5: spec.settings.existing.dig: is missing, and dig-terminate-in-flight needs it" + remedy,
		}},
		{"logical-cloud-terminate-in-flight", "existing: {project: p}", []string{
			"18:5: spec.settings.existing.logicalCloud: is missing, and logical-cloud-terminate-in-flight needs it" + remedy,
		}},
		{"logical-cloud-terminate-in-flight", "existing: {project: p, logicalCloud: l}", nil},
		{"dig-terminate-in-flight", "existing: {project: p, digs: d}", []string{`18:28: spec.settings.existing.digs: the key "digs" is not known; did you mean dig?`}},
		{"dig-terminate-in-flight", "existing: {dig: 7}", []string{"18:21: spec.settings.existing.dig: is a number, not text; write the resource's name; a number in quotes"}},
		{"dig-terminate-in-flight", "existing: {compositeApp: ../x}", []string{
			`18:30: spec.settings.existing.compositeApp: "../x" is not a name that EMCO takes; use letters, digits, hyphens, underscores and dots, with a letter or digit at both ends`,
		}},
		{"dig-terminate-in-flight", "existng: {project: p}", []string{
			`18:5: spec.settings.existng: the key "existng" is not known; did you mean existing?`,
		}},
		{"dig-terminate-in-flight", shop + "\n    token: canary-secret", []string{`19:5: spec.settings.token: the key "token" is not known` + edge}},
		{"dig-terminate-in-flight", shop + "\n    emcoctl: canary-secret", []string{
			"19:14: spec.settings.emcoctl: is text, not a mapping; write emcoctl: {config: {file: emco-cfg.yaml}}",
		}},
	} {
		source, err := experiments.Read(test.experiment)
		if err != nil {
			t.Fatal(err)
		}
		result, problems := experiments.Compile(source, existing(t, test.setting), nil)
		var got []string
		for _, problem := range problems {
			got = append(got, strings.TrimPrefix(problem.Error(), "target.yaml:"))
		}
		if !slices.Equal(got, test.want) || (result == nil) != (len(test.want) > 0) {
			t.Errorf("%s on %v:\ngot  %q\nwant %q", test.experiment, test.setting, got, test.want)
		}
	}
	source, err := experiments.Read("service-refused")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := experiments.Compile(source, existing(t, shop), map[string]string{"call": "cluster.create"})
	if want := "service-refused.yaml:41:3: spec.given.cluster: is absent"; !strings.HasPrefix(problems.Error(), want) {
		t.Errorf("got %v, want %s", problems, want)
	}
}

// TestTheEdgeIsNamed: what looks at the edge is told before anything is touched
// that nobody named it.
func TestTheEdgeIsNamed(t *testing.T) {
	for name, want := range map[string]string{
		"dig-terminate-in-flight":           "target.yaml:17:3: spec.settings.edge: is missing, and dig-terminate-in-flight looks at the edge; write settings: {edge: {kubeconfig: {file: FILE}}}",
		"logical-cloud-terminate-in-flight": "",
	} {
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		edgeless := existing(t, shop)
		delete(edgeless.Settings, "edge")
		if _, problems := experiments.Compile(source, edgeless, nil); problems.Error() != want {
			t.Errorf("%s: got %v", name, problems)
		}
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
