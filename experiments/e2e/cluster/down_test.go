package cluster

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
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

func TestAncestors(t *testing.T) {
	t.Parallel()
	table := map[int]tableEntry{1: {}, 10: {parent: 1}, 11: {parent: 10}, 12: {parent: 11}, 13: {parent: 11}, 20: {parent: 99}}
	if got := ancestors(table, 12); !slices.Equal(got, []int{12, 11, 10, 1}) {
		t.Errorf("above 12 are %v", got)
	}
	// Its parent has ended, or is in another PID namespace.
	if got := ancestors(table, 20); !slices.Equal(got, []int{20, 99}) {
		t.Errorf("above 20 are %v", got)
	}
}

// What is in a network namespace ends, and nothing else, whoever started it.
func TestEndIn(t *testing.T) {
	t.Parallel()
	start := func(flags uintptr) *exec.Cmd {
		command := exec.Command("sleep", "600")
		command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
		if err := command.Start(); errors.Is(err, fs.ErrPermission) {
			t.Skipf("no network namespace can be made: %v", err)
		} else if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = command.Process.Kill() })
		return command
	}
	alone, outside := start(syscall.CLONE_NEWNET), start(0)
	space := filepath.Join("/proc", strconv.Itoa(alone.Process.Pid), "ns", "net")
	beside := exec.Command("nsenter", "--net="+space, "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 600; done")
	reading, err := beside.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := beside.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := reading.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 2)
	for _, command := range []*exec.Cmd{alone, beside} {
		go func() { ended <- command.Wait() }()
	}
	// The path is gone with the process: as that of a name is not.
	file, err := os.Open(space)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := endIn(filepath.Join("/proc/self/fd", strconv.Itoa(int(file.Fd())))); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a process in the namespace ended by itself")
		}
	}
	if err := outside.Process.Kill(); err != nil {
		t.Errorf("a process outside of the namespace: %v", err)
	}
	if err := outside.Wait(); err == nil || outside.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("a process outside of the namespace: %v, want it to live until it is killed", err)
	}
	if err := endIn(filepath.Join(t.TempDir(), "nothing")); err != nil {
		t.Errorf("a namespace that is gone: %v", err)
	}
}

// A name for the machine's own network ends nobody.
func TestEndInOwnNetwork(t *testing.T) {
	t.Parallel()
	own, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		t.Skip(err)
	}
	table, err := processTable()
	if err != nil {
		t.Fatal(err)
	}
	if found := inside(own, table); len(found) > 0 {
		t.Errorf("%d processes of the machine's own network would be ended", len(found))
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
