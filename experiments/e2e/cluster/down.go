package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// DownOptions say what Down leaves.
type DownOptions struct {
	// KeepLogs leaves the folder's logs.
	KeepLogs bool
}

// Down ends everything that the cluster started, in whatever state it is, and
// removes everything that it wrote. A cluster that Up did not bring up is left
// alone.
func (c *Cluster) Down(ctx context.Context, options DownOptions) error {
	if !c.Ours() {
		return nil
	}
	var problems []error
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	containers, err := containersOf(c.folder)
	note(err)
	note(c.endProcesses())
	late, err := containersOf(c.folder) // those that were being made meanwhile
	note(err)
	note(endIn(c.namespace.path()))
	note(c.unmount())
	note(c.namespace.remove(ctx))
	note(c.removeTraces(append(containers, late...)))
	if len(problems) > 0 {
		// The folder stays, so that Down finds the rest when it is called again.
		return fmt.Errorf("take down the cluster in %s: %w", c.folder, errors.Join(problems...))
	}
	return c.removeFolder(options)
}

// endProcesses ends what was started, and all pods with it. The kubelet goes
// first, so that it does not start anything anew.
func (c *Cluster) endProcesses() error {
	started, err := recorded(c.folder)
	if err != nil {
		return err
	}
	order := []string{"kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns", "edge", "kube-apiserver", "etcd"}
	rank := func(one *process) int {
		if at := slices.Index(order, one.Name); at >= 0 {
			return at
		}
		return len(order)
	}
	slices.SortStableFunc(started, func(a, b *process) int { return rank(a) - rank(b) })
	var problems []error
	for _, one := range started {
		if one.Name == "containerd" {
			continue
		}
		problems = append(problems, one.end(grace(one.Name)))
	}
	problems = append(problems, c.endPods())
	for _, one := range started {
		if one.Name == "containerd" {
			problems = append(problems, one.end(5*time.Second))
		}
	}
	// A sandbox that containerd was making until now.
	return errors.Join(append(problems, c.endPods())...)
}

// grace is how long a component may take to end by itself. Nothing that the
// control plane could still write is needed again.
func grace(name string) time.Duration {
	if name == "kubelet" {
		return 3 * time.Second
	}
	return 0
}

// endPods ends the processes of all pods: each container is a child of a shim
// that names our containerd's socket, and belongs to no other process.
func (c *Cluster) endPods() error {
	table, err := processTable()
	if err != nil {
		return err
	}
	var problems []error
	for pid, entry := range table {
		if !entry.serves(c.folder.socket()) {
			continue
		}
		// The shim last: without it its containers would be init's children.
		for _, each := range append(descendants(table, pid), pid) {
			one := &process{Name: "pod process " + table[each].name, PID: each, Started: table[each].started}
			problems = append(problems, one.end(0))
		}
	}
	return errors.Join(problems...)
}

// endIn ends the processes that are in the network namespace at the path,
// whoever started them there. What they start meanwhile ends with them. Those
// that this one is a descendant of are spared, and everybody is if it is in
// there itself: the name may be that of the machine's own network.
func endIn(path string) error {
	space, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the processes in the network namespace: %w", err)
	}
	const rounds = 5
	for range rounds {
		table, err := processTable()
		if err != nil {
			return err
		}
		found := inside(space, table)
		if len(found) == 0 {
			return nil
		}
		var problems []error
		for _, one := range found {
			problems = append(problems, one.end(time.Second))
		}
		if err := errors.Join(problems...); err != nil {
			return err
		}
	}
	return errors.New("processes keep starting in the network namespace")
}

// inside are the processes in a network namespace that may be ended.
func inside(space fs.FileInfo, table map[int]tableEntry) []*process {
	spared := ancestors(table, os.Getpid())
	var found []*process
	for pid, entry := range table {
		of, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid), "ns", "net"))
		// One that cannot be looked into has ended, or is not of ours.
		if err != nil || !os.SameFile(of, space) {
			continue
		}
		if pid == os.Getpid() {
			return nil
		}
		if !slices.Contains(spared, pid) {
			found = append(found, &process{Name: "process in the network namespace " + entry.name, PID: pid, Started: entry.started})
		}
	}
	return found
}

// ancestors are a process and those that it is a descendant of.
func ancestors(table map[int]tableEntry, pid int) []int {
	var found []int
	for pid != 0 && !slices.Contains(found, pid) {
		found = append(found, pid)
		pid = table[pid].parent
	}
	return found
}

type tableEntry struct {
	parent    int
	started   uint64
	name      string
	arguments []string
}

// serves tells whether it is a shim of the containerd with the socket.
func (e tableEntry) serves(socket string) bool {
	if !strings.HasPrefix(e.name, "containerd-shim") {
		return false
	}
	at := slices.Index(e.arguments, "-address")
	return at >= 0 && at+1 < len(e.arguments) && e.arguments[at+1] == socket
}

func processTable() (map[int]tableEntry, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list the processes: %w", err)
	}
	table := map[int]tableEntry{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		parent, started, err := stat(pid)
		if err != nil {
			continue // it has ended since
		}
		line, err := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		if err != nil || len(line) == 0 {
			table[pid] = tableEntry{parent: parent, started: started}
			continue
		}
		arguments := strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		table[pid] = tableEntry{parent, started, filepath.Base(arguments[0]), arguments}
	}
	return table, nil
}

func descendants(table map[int]tableEntry, of int) []int {
	var found []int
	for pid, entry := range table {
		if entry.parent == of {
			found = append(append(found, descendants(table, pid)...), pid)
		}
	}
	return found
}

// unmount takes away all that is mounted below the folder, the last first.
func (c *Cluster) unmount() error {
	content, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("list the mounts: %w", err)
	}
	var problems []error
	for _, path := range slices.Backward(mountsBelow(string(content), string(c.folder))) {
		// A mount that is gone with another is not there, or no mount, any more.
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
			problems = append(problems, fmt.Errorf("unmount %s: %w", path, err))
		}
	}
	return errors.Join(problems...)
}

// mountsBelow are the mount points in a folder, in the order of mountinfo.
func mountsBelow(mountinfo, directory string) []string {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	for line := range strings.Lines(mountinfo) {
		const point = 4
		fields := strings.Fields(line)
		if len(fields) <= point {
			continue
		}
		if path := unescape.Replace(fields[point]); strings.HasPrefix(path, directory+"/") {
			found = append(found, path)
		}
	}
	return found
}

func (c *Cluster) removeFolder(options DownOptions) error {
	entries, err := os.ReadDir(string(c.folder))
	if err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	// What says that there is a cluster goes last.
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int {
		last := func(entry fs.DirEntry) int {
			if c.folder.path(entry.Name()) == c.folder.record() {
				return 1
			}
			return 0
		}
		return last(a) - last(b)
	})
	for _, entry := range entries {
		path := c.folder.path(entry.Name())
		if options.KeepLogs && path == c.Logs() {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("remove the cluster's folder: %w", err)
		}
	}
	if options.KeepLogs {
		return nil
	}
	if err := os.Remove(string(c.folder)); err != nil {
		return fmt.Errorf("remove the cluster's folder: %w", err)
	}
	return nil
}
