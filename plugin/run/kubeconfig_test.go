package run

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

const twoContexts = `apiVersion: v1
kind: Config
clusters:
- {name: north, cluster: {server: "https://north.example:6443"}}
- {name: south, cluster: {server: "https://south.example:6443"}}
users:
- {name: admin, user: {token: canary}}
contexts:
- {name: north, context: {cluster: north, user: admin}}
- {name: south, context: {cluster: south, user: admin}}
- {name: broken, context: {cluster: east, user: admin}}
`

func TestRestConfig(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	both := write("both", twoContexts)
	current := write("current", twoContexts+"current-context: north\n")
	garbage := write("garbage", "kind: [\n")
	missing := filepath.Join(folder, "none")
	tests := []struct {
		name        string
		environment string
		where       target.KubernetesDriver
		host        string
		wrong       []string
	}{
		{"the current context", "", target.KubernetesDriver{Kubeconfig: current}, "https://north.example:6443", nil},
		{"a context of a file", "", target.KubernetesDriver{Kubeconfig: both, Context: "south"}, "https://south.example:6443", nil},
		{"the environment's file", current, target.KubernetesDriver{}, "https://north.example:6443", nil},
		{"a context of the environment's file", current, target.KubernetesDriver{Context: "south"}, "https://south.example:6443", nil},
		{"the target before the environment", garbage, target.KubernetesDriver{Kubeconfig: current}, "https://north.example:6443", nil},
		{"a file that is not there", "", target.KubernetesDriver{Kubeconfig: missing}, "", []string{missing, "is not there", "kubeconfig: FILE"}},
		{"no kubeconfig at all", "", target.KubernetesDriver{}, "", []string{"no cluster", "kubeconfig: FILE"}},
		{"a file that is none", "", target.KubernetesDriver{Kubeconfig: garbage}, "", []string{"read the kubeconfig", garbage}},
		{"no current context", "", target.KubernetesDriver{Kubeconfig: both}, "", []string{"no current context", "context: NAME", "broken, north, south"}},
		{"a context that is not there", "", target.KubernetesDriver{Kubeconfig: current, Context: "west"}, "", []string{`no context "west"`, "broken, north, south"}},
		{"a context without its cluster", "", target.KubernetesDriver{Kubeconfig: current, Context: "broken"}, "", []string{"context broken", "east"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("HOME", folder)
			t.Setenv("KUBECONFIG", test.environment)
			t.Setenv("KUBERNETES_SERVICE_HOST", "")
			config, err := RestConfig(&test.where)
			if len(test.wrong) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if config.Host != test.host {
					t.Errorf("got %s, want %s", config.Host, test.host)
				}
				return
			}
			if err == nil {
				t.Fatalf("got %s, want an error", config.Host)
			}
			for _, text := range test.wrong {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the token is shown: %v", err)
			}
		})
	}
}

func TestNamespacesAreThoseOfServicesWithPods(t *testing.T) {
	labels := map[string]string{"app": "a"}
	target := &target.Target{Services: map[string]target.Service{
		"one":   {Namespace: "south", Labels: labels},
		"two":   {Namespace: "north", Labels: labels},
		"three": {Namespace: "south", Labels: labels},
		"edge":  {Namespace: "edge", Address: "10.0.0.1"},
	}}
	if got := Namespaces(target); !slices.Equal(got, []string{"north", "south"}) {
		t.Errorf("got %v", got)
	}
}
