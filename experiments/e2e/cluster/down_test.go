package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestMountsBelow(t *testing.T) {
	t.Parallel()
	const mountinfo = `20 1 254:0 / / rw - ext4 /dev/vda rw
30 20 0:30 / /state/data/kubelet/pods/1/volumes/a rw - tmpfs tmpfs rw
31 20 0:31 / /state/run/with\040space rw - tmpfs tmpfs rw
32 20 0:32 / /state-of-another/run rw - tmpfs tmpfs rw
33 30 0:33 / /state/data/kubelet/pods/1/volumes/a/b rw - tmpfs tmpfs rw
broken
`
	want := []string{"/state/data/kubelet/pods/1/volumes/a", "/state/run/with space", "/state/data/kubelet/pods/1/volumes/a/b"}
	if got := mountsBelow(mountinfo, "/state"); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Only the shims of one containerd are found, with all that runs below them.
func TestShims(t *testing.T) {
	t.Parallel()
	shim := func(socket string) tableEntry {
		return tableEntry{
			parent: 1, name: "containerd-shim-runc-v2",
			arguments: []string{"/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-address", socket},
		}
	}
	table := map[int]tableEntry{
		1: {}, 10: shim("/one/socket"), 11: {parent: 10}, 12: {parent: 11}, 13: {parent: 12},
		20: shim("/two/socket"), 21: {parent: 20},
		30: {parent: 1, name: "grep", arguments: []string{"grep", "-address", "/one/socket"}},
		31: {parent: 1, name: "containerd-shim-runc-v2", arguments: []string{"containerd-shim-runc-v2", "-address"}},
	}
	var found []int
	for pid, entry := range table {
		if entry.serves("/one/socket") {
			found = append(found, pid)
		}
	}
	if !slices.Equal(found, []int{10}) {
		t.Errorf("shims %v, want 10", found)
	}
	below := descendants(table, 10)
	if want := []int{13, 12, 11}; !slices.Equal(below, want) {
		t.Errorf("below the shim %v, want %v, the youngest first", below, want)
	}
}

func TestContainers(t *testing.T) {
	t.Parallel()
	in := folder(t.TempDir())
	bundle := in.path("run", "containerd", "io.containerd.runtime.v2.task", "k8s.io", "abc")
	if err := os.MkdirAll(bundle, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "address"), []byte("unix:///run/containerd/s/123"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := containersOf(in)
	if want := []container{{id: "abc", socket: "/run/containerd/s/123"}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

// Another's cluster is used, and left alone.
func TestAnothersCluster(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("apiVersion: v1\nkind: Config\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := FromKubeconfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if found.Ours() || found.Kubeconfig() != file || found.Prefix() != "" {
		t.Errorf("%+v is taken for a cluster of ours", found)
	}
	if err := found.Down(t.Context(), DownOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	if got := found.Enter(t.Context(), "true").Args; !slices.Equal(got, []string{"true"}) {
		t.Errorf("entered by %q, want nothing to enter", got)
	}
	if err := found.Import(t.Context(), "image.tar"); err == nil {
		t.Error("an image was given to a cluster that is not ours")
	}
}

// A cluster is found by its folder and by its kubeconfig.
func TestOurCluster(t *testing.T) {
	t.Parallel()
	in := folder(t.TempDir())
	if _, err := Open(string(in)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
	for file, content := range map[string]string{in.record(): `{"name":"trial"}`, in.kubeconfig(): ""} {
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	found, err := FromKubeconfig(in.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if !found.Ours() || found.Prefix() != "nsenter --net=/run/netns/trial" {
		t.Errorf("%+v, want the cluster trial", found)
	}
	// A record that would lead Down elsewhere is refused.
	if err := os.WriteFile(in.record(), []byte(`{"name":"../../etc"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(string(in)); err == nil {
		t.Error("a name that is none was taken")
	}
}
