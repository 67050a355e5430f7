package chart

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden: what the chart makes of the values that must be given, of all
// values, and with all switched off that can be.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"minimal", "everything", "nothing"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := values(t, name)
			// Nothing is rendered that does not decode.
			objects(t, given)
			got := rendered(t, given)
			file := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the chart makes something else than %s has; look at the difference after go test ./chart -run TestGolden -update", file)
			}
		})
	}
}

// TestExperimentsFile: the titles and descriptions that the Schedules have are
// those of the experiments.
func TestExperimentsFile(t *testing.T) {
	t.Parallel()
	all := map[string]map[string]string{}
	list, err := experiments.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range list {
		all[one.Name] = map[string]string{"title": one.Title, "description": one.Description}
	}
	text, err := yaml.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "files", "experiments.yaml")
	if *update {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if there, err := os.ReadFile(file); err != nil || string(there) != string(text) {
		t.Errorf("%s is out of date (%v): write it anew with make generate", file, err)
	}
}

// TestLint: helm lint --strict finds nothing, with the values that a user
// gives and without any.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"minimal", "everything", "nothing", ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := map[string]any{}
			if name != "" {
				given = values(t, name)
			}
			lint := action.NewLint()
			lint.Strict, lint.Namespace = true, namespace
			for _, message := range lint.Run([]string{folder}, given).Messages {
				if message.Severity > support.InfoSev {
					t.Errorf("%v", message)
				}
			}
		})
	}
}
