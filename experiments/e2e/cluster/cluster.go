// Package cluster brings up a real Kubernetes on this machine, in a network
// namespace of its own, with a real Chaos Mesh and an emulated EMCO in it, and
// takes all of it away again.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// DefaultName is the name of a cluster that was given none.
const DefaultName = "emco-chaos"

const (
	// installLimit is how long a chart may take to be ready.
	installLimit = 5 * time.Minute
	// startLimit is how long a component may take.
	startLimit = 2 * time.Minute
	askLimit   = 10 * time.Second
)

// Options say what cluster to bring up.
type Options struct {
	// Name is that of its network namespace: one cluster has it at a time.
	// Empty is DefaultName.
	Name string
	// Folder is its state folder; empty is DefaultFolder of the name.
	Folder string
	// Readiness is when the pods of the emulated EMCO are ready; the zero
	// value is a second.
	Readiness Readiness
	// Images are further tar files with images that its pods can use.
	Images []string
	// Progress is told what is being done; nil tells nobody.
	Progress io.Writer
}

// Readiness is when a pod that has started is asked whether it is ready.
type Readiness struct{ Delay, Period time.Duration }

var (
	// Quick readiness is what experiments need not wait for.
	Quick = Readiness{Period: time.Second}
	// Official readiness is that of EMCO's own chart.
	Official = Readiness{Delay: 10 * time.Second, Period: 30 * time.Second}
)

// Cluster is a cluster that can be used.
type Cluster struct {
	namespace  namespace
	folder     folder
	kubeconfig string
	kubectl    string
}

// record is what the state folder says about its cluster.
type record struct {
	Name string `json:"name"`
	// Kubectl is the path of the kubectl that goes with it.
	Kubectl string `json:"kubectl"`
}

// DefaultFolder is the state folder of a cluster that was given none. Its
// path is short, as those of sockets must be.
func DefaultFolder(name string) string { return filepath.Join(os.TempDir(), name+"-cluster") }

// Open finds a cluster that is up, or what is left of one, by its folder.
func Open(directory string) (*Cluster, error) {
	absolute, err := filepath.Abs(directory)
	if err != nil {
		return nil, err
	}
	in := folder(absolute)
	content, err := os.ReadFile(in.record())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no cluster in %s: %w", in, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read which cluster %s is of: %w", in, err)
	}
	var found record
	if err := json.Unmarshal(content, &found); err != nil {
		return nil, fmt.Errorf("read which cluster %s is of: %w", in, err)
	}
	if err := valid(found.Name); err != nil {
		return nil, fmt.Errorf("read which cluster %s is of: %w", in, err)
	}
	return &Cluster{namespace: namespace(found.Name), folder: in, kubeconfig: in.kubeconfig(), kubectl: found.Kubectl}, nil
}

// FromKubeconfig is the cluster that a kubeconfig is of: one that Up brought
// up, or any other, which is used as it is and which Down leaves alone.
func FromKubeconfig(file string) (*Cluster, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(absolute); err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	ours, err := Open(filepath.Dir(absolute))
	if errors.Is(err, fs.ErrNotExist) {
		return &Cluster{kubeconfig: absolute}, nil
	}
	return ours, err
}

// Ours tells whether Up brought the cluster up.
func (c *Cluster) Ours() bool { return c.namespace != "" }

// Kubeconfig is the path of the administrator's kubeconfig. Its address holds
// inside the cluster's network namespace.
func (c *Cluster) Kubeconfig() string { return c.kubeconfig }

// Target is the path of the target file of the emulated EMCO, for programs
// that Enter starts.
func (c *Cluster) Target() string { return c.folder.target() }

// PodTarget is the path of the target file that holds inside pods.
func (c *Cluster) PodTarget() string { return c.folder.podTarget() }

// Kubectl is the path of a kubectl of the cluster's own version; empty if the
// cluster is not ours.
func (c *Cluster) Kubectl() string { return c.kubectl }

// EdgeKubeconfig is the path of the kubeconfig of the emulated edge cluster.
func (c *Cluster) EdgeKubeconfig() string { return c.folder.edge() }

// Logs is the folder with the logs of all that runs, pods too.
func (c *Cluster) Logs() string { return c.folder.path("logs") }

// Enter is a program that will run where the cluster's addresses hold. It
// ends with ctx.
func (c *Cluster) Enter(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	return c.namespace.command(ctx, program, arguments...)
}

// Prefix is what to write before a command for it to run there.
func (c *Cluster) Prefix() string {
	if c.namespace == "" {
		return ""
	}
	return "nsenter --net=" + c.namespace.path()
}

var validName = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,30}[a-z0-9])?$`)

func valid(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("the cluster's name %q is not one: use up to 32 of a-z, 0-9 and -, with a letter first", name)
	}
	return nil
}
