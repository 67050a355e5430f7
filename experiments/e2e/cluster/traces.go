package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What the node's programs write at paths that cannot be chosen.
const (
	cgroups        = "/sys/fs/cgroup"
	podCgroup      = "k8s.io"
	containerLogs  = "/var/log/containers"
	networkResults = "/var/lib/cni/results"
	deviceSocket   = "/var/lib/kubelet/device-plugins/kubelet.sock"
)

// container is what a container of a pod, or its sandbox, leaves behind.
type container struct {
	id     string
	socket string // its shim's
}

// containersOf are the containers that the cluster's containerd and runc know
// of.
func containersOf(in folder) ([]container, error) {
	var found []container
	for _, pattern := range []string{
		in.path("run", "containerd", "io.containerd.runtime.v2.task", "*", "*"),
		in.path("run", "runc", "*", "*"),
		in.path("data", "containerd", "io.containerd.grpc.v1.cri", "*", "*"),
	} {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, each := range folders {
			one := container{id: filepath.Base(each)}
			address, err := os.ReadFile(filepath.Join(each, "address"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("find the container %s: %w", one.id, err)
			}
			one.socket = strings.TrimPrefix(strings.TrimSpace(string(address)), "unix://")
			found = append(found, one)
		}
	}
	return found, nil
}

// removeTraces removes what is outside of the folder. Of folders that other
// clusters use too it removes those that are empty.
func (c *Cluster) removeTraces(containers []container) error {
	var problems []error
	for _, one := range containers {
		problems = append(problems, removeCgroups(one.id), gone(os.Remove(networkResults+"/cni-loopback-"+one.id+"-lo")),
			gone(os.Remove(networkResults+"/"+string(c.namespace)+"-"+one.id+"-eth0")))
		if one.socket != "" {
			problems = append(problems, gone(os.Remove(one.socket)))
		}
	}
	links, err := filepath.Glob(containerLogs + "/*.log")
	if err != nil {
		return err
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, c.folder.podLogs()+"/") {
			problems = append(problems, gone(os.Remove(link)))
		}
	}
	problems = append(problems, removeDeviceSocket(), removeEmpty())
	return errors.Join(problems...)
}

// gone is the error of a removal, unless there was nothing to remove.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeDeviceSocket removes the kubelet's socket for devices, unless another
// kubelet listens at it by now.
func removeDeviceSocket() error {
	connection, err := net.Dial("unix", deviceSocket)
	if err == nil {
		return connection.Close()
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return nil
	}
	return gone(os.Remove(deviceSocket))
}

func removeEmpty() error {
	folders := []string{
		filepath.Dir(deviceSocket), "/var/lib/kubelet", networkResults, "/var/lib/cni", containerLogs,
		"/run/containerd/s", "/run/containerd", "/lib/modules", namespaces, filepath.Join(cgroups, podCgroup),
	}
	hierarchies, err := filepath.Glob(filepath.Join(cgroups, "*", podCgroup))
	if err != nil {
		return err
	}
	var problems []error
	for _, folder := range append(folders, hierarchies...) {
		err := unix.Rmdir(folder)
		for _, fine := range []error{unix.ENOENT, unix.ENOTEMPTY, unix.EBUSY, unix.ENOTDIR, unix.EPERM} {
			if errors.Is(err, fine) {
				err = nil
			}
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("remove the empty folder %s: %w", folder, err))
		}
	}
	return errors.Join(problems...)
}

// removeCgroups removes a container's cgroups, in every hierarchy, with those
// that it made inside.
func removeCgroups(id string) error {
	roots, err := filepath.Glob(filepath.Join(cgroups, "*", podCgroup, id))
	if err != nil {
		return err
	}
	var problems []error
	for _, root := range append(roots, filepath.Join(cgroups, podCgroup, id)) {
		var below []string
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				below = append(below, path)
			}
			return err
		})
		if gone(err) != nil {
			problems = append(problems, fmt.Errorf("list the cgroups: %w", err))
		}
		for _, path := range slices.Backward(below) {
			problems = append(problems, removeCgroup(path))
		}
	}
	return errors.Join(problems...)
}

// removeCgroup removes one, which the kernel can hold for a moment after the
// last process in it has ended.
func removeCgroup(path string) error {
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := unix.Rmdir(path)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("remove the cgroup %s: %w", path, err)
		}
		<-time.After(10 * time.Millisecond)
	}
}
