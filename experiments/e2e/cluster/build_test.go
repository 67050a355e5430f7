package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/image"
)

// What is built is built anew when a pin, the compiler or a flag changes.
func TestRecipeKey(t *testing.T) {
	t.Parallel()
	sources := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		file := filepath.Join(sources, kubernetesModule, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module one")
	write("go.sum", "")
	base := recipe{module: kubernetesModule, ldflags: "-s"}
	key := func(of recipe, compiler string) string {
		t.Helper()
		key, err := of.key(sources, compiler)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := key(base, "go1.26")
	if again := key(base, "go1.26"); again != first {
		t.Errorf("%s and %s for the same", first, again)
	}
	seen := map[string]string{first: "the first"}
	check := func(what, key string) {
		t.Helper()
		if of, there := seen[key]; there {
			t.Errorf("%s has the key of %s", what, of)
		}
		seen[key] = what
	}
	check("another compiler", key(base, "go1.27"))
	check("other flags", key(recipe{module: kubernetesModule, ldflags: "-w"}, "go1.26"))
	check("with C", key(recipe{module: kubernetesModule, ldflags: "-s", cgo: true}, "go1.26"))
	check("with objects", key(recipe{module: kubernetesModule, ldflags: "-s", objects: []string{"one.c"}}, "go1.26"))
	check("with a page", key(recipe{module: kubernetesModule, ldflags: "-s", page: true}, "go1.26"))
	write("go.sum", "another version")
	check("another pin", key(base, "go1.26"))
}

// The module is found on a machine that has never had it.
func TestChaosMeshModule(t *testing.T) {
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw") // so that the folder can be removed
	b := &builder{sources: ".."}
	module, err := b.chaosMeshModule(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(module, "helm", "chaos-mesh", "Chart.yaml")); module == "" || err != nil {
		t.Errorf("it is in %q: %v", module, err)
	}
}

// Where there is no Node.js the page is missing, and nothing else.
func TestNoPage(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := addPage(t.Context(), t.TempDir())
	if _, is := errors.AsType[*pageError](err); !is || !strings.Contains(err.Error(), "npx") || !strings.Contains(err.Error(), "Node.js") {
		t.Errorf("%v is no reason to go without a page", err)
	}
}

func TestImageKey(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	key := func(content, command string) string {
		t.Helper()
		if err := os.WriteFile(program, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		key, err := imageKey(image.Spec{
			Name: "one:e2e", Files: []image.File{image.Program("/one", program)}, Entrypoint: []string{command},
		})
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	first := key("content", "/one")
	if key("content", "/one") != first {
		t.Error("the same image has two keys")
	}
	if key("another", "/one") == first || key("content", "/two") == first {
		t.Error("two images have the same key")
	}
}

// The image of chaos-daemon has the programs, what they are linked with, and
// each of it once.
func TestDaemonTools(t *testing.T) {
	t.Parallel()
	tools, err := daemonTools()
	if err != nil {
		t.Skipf("this machine cannot make the image: %v", err)
	}
	seen := map[string]bool{}
	for _, tool := range tools {
		if seen[tool.Path] {
			t.Errorf("%s is there twice", tool.Path)
		}
		seen[tool.Path] = true
	}
	for _, want := range []string{"/usr/sbin/ipset", "/usr/sbin/iptables", "/usr/sbin/ip", "/usr/sbin/tc", "/usr/bin/stress-ng"} {
		if !seen[want] {
			t.Errorf("%s is not there", want)
		}
	}
	for _, want := range []string{"libc.so", "ld-linux", "libxt_set.so", "libipt_REJECT.so", "libxt_standard.so"} {
		found := false
		for path := range seen {
			found = found || strings.Contains(path, want)
		}
		if !found {
			t.Errorf("%s is not there", want)
		}
	}
}
