package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/target"
	"sigs.k8s.io/yaml"
)

// The targets are the same as those that the plan's own reader takes, and
// name what EMCO's chart names.
func TestTargets(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for name, described := range map[string]targetFile{
		"target.yaml": targetOf(
			map[string]string{"orchestrator": "10.96.0.15:9015", "dcm": "10.96.0.77:9077", "clm": "10.96.0.61:9061", "rsync": "10.96.0.31:9031"},
			map[string]any{"kubernetes": map[string]any{"kubeconfig": "/state/kubeconfig"}}),
		"target-in-cluster.yaml": targetOf(
			map[string]string{"orchestrator": "orchestrator.emco:9015", "dcm": "dcm.emco:9077", "clm": "clm.emco:9061", "rsync": "rsync.emco:9031"},
			map[string]any{"kubernetes": map[string]any{}}),
	} {
		content, err := yaml.Marshal(described)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, content)
		file := filepath.Join(directory, name)
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		read, problems := target.Read(file)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", name, problems)
		}
		if read.Driver.Kubernetes == nil {
			t.Errorf("%s: no driver for Kubernetes", name)
		}
		if rsync := read.Services["rsync"]; rsync.URL != "" || !strings.HasSuffix(rsync.Address, ":9031") {
			t.Errorf("%s: rsync is not where its gRPC port is: %+v", name, rsync)
		}
	}
}
