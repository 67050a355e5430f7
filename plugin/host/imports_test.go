package host_test

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/emco-chaos/emco-chaos/"

// TestFloors: imports point down, nothing that a plugin for another system
// needs knows EMCO, and the contract brings nothing of Kubernetes along.
func TestFloors(t *testing.T) {
	t.Parallel()
	ground := []string{module + "probes/document", module + "probes/target", module + "probes/activity"}
	for _, floor := range []struct {
		packages  []string
		forbidden []string
		allowed   []string
	}{
		{
			[]string{"plugin/sdk", "plugin/sdk/language", "plugin/sdk/example", "plugin/host", "plugin/engine", "plugin/local", "plugin/journal", "plugin/verdict", "plugin/report", "plugin/chaosmesh", "plugin/lease", "plugin/controller", "plugin/controller/api/v1alpha1", "plugin/doctor"},
			[]string{module + "probes", module + "experiments$"},
			ground,
		},
		{
			[]string{"plugin/sdk", "plugin/host"},
			[]string{module + "experiments/scenario", "github.com/chaos-mesh", "k8s.io", "sigs.k8s.io"},
			nil,
		},
		{
			[]string{"experiments/..."},
			[]string{module + "plugin"},
			nil,
		},
		{
			[]string{"probes/..."},
			[]string{module + "plugin", module + "experiments", "github.com/hashicorp/go-plugin", "github.com/chaos-mesh/chaos-mesh/api", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/client-go", "sigs.k8s.io/controller-runtime"},
			nil,
		},
		{
			[]string{"probes/document", "probes/target", "probes/activity"},
			[]string{strings.TrimSuffix(module, "/")},
			ground,
		},
	} {
		for name, dependencies := range imports(t, floor.packages...) {
			for _, dependency := range dependencies {
				within := func(path string) bool { return under(dependency, path) }
				if slices.ContainsFunc(floor.forbidden, within) && !slices.ContainsFunc(floor.allowed, within) {
					t.Errorf("%s needs %s", name, dependency)
				}
			}
		}
	}
}

// under says whether a package is the one of that path, or, unless the path
// ends with $, below it.
func under(name, path string) bool {
	if exact, is := strings.CutSuffix(path, "$"); is {
		return name == exact
	}
	return name == path || strings.HasPrefix(name, path+"/")
}

// imports are all packages that each package needs.
func imports(t *testing.T, packages ...string) map[string][]string {
	t.Helper()
	args := []string{"list", "-f", `{{.ImportPath}} {{join .Deps " "}}`}
	for _, name := range packages {
		args = append(args, module+name)
	}
	output, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(output)) {
		fields := strings.Fields(line)
		all[fields[0]] = fields[1:]
	}
	if len(all) < len(packages) {
		t.Fatalf("go list knows %d packages of %v", len(all), packages)
	}
	return all
}

// TestProductIsLight: nothing of the emulated EMCO's weight is in what users
// install.
func TestProductIsLight(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if output, err := exec.Command("go", "build", "-o", folder+"/", module+"plugin/cmd/...").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, name := range []string{"emco-chaos", "emco-chaos-plugin-emco"} {
		output, err := exec.Command("go", "version", "-m", filepath.Join(folder, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		if !strings.Contains(string(output), "\tdep\tgoogle.golang.org/grpc\t") {
			t.Errorf("%s tells no dependencies:\n%s", name, output)
		}
		for _, heavy := range []string{"go.etcd.io/etcd", "go.etcd.io/bbolt", "rogpeppe/go-internal"} {
			if strings.Contains(string(output), heavy) {
				t.Errorf("%s has %s in it", name, heavy)
			}
		}
	}
}
