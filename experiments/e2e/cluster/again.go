package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// insideVariable is set in a program that RunAgain started, to the path of
// the cluster's kubeconfig.
const insideVariable = "EMCO_CHAOS_INSIDE_CLUSTER"

// Inside is the cluster whose network namespace this program was started in
// by RunAgain; nil if it was not.
func Inside() (*Cluster, error) {
	file := os.Getenv(insideVariable)
	if file == "" {
		return nil, nil
	}
	found, err := FromKubeconfig(file)
	if err != nil {
		return nil, fmt.Errorf("find the cluster that this program was started in: %w", err)
	}
	return found, nil
}

// RunAgain runs this program once more, with its arguments, where the
// cluster's addresses hold, and returns its exit code. It is how a test
// binary gets there:
//
//	func TestMain(m *testing.M) {
//		inside, err := cluster.Inside()
//		…
//		if inside != nil {
//			os.Exit(m.Run())
//		}
//		made, err := cluster.Up(ctx, options)
//		…
//		code, err := made.RunAgain(ctx)
//
// When ctx ends, the program is interrupted, and awaited.
func (c *Cluster) RunAgain(ctx context.Context) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("find this program: %w", err)
	}
	command := c.Enter(ctx, program, os.Args[1:]...)
	command.Env = append(os.Environ(), insideVariable+"="+c.Kubeconfig(), "KUBECONFIG="+c.Kubeconfig())
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGINT) }
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run this program in the cluster's network namespace: %w", err)
	}
	return 0, nil
}
