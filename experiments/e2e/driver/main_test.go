// Package driver_test runs the suite that every driver passes on a real
// cluster with real Chaos Mesh, and measures how long each step takes.
package driver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
)

const (
	// requiredVariable says that a test that cannot run has failed.
	requiredVariable = "EMCO_CHAOS_E2E_REQUIRED"
	// enteredVariable says that this process is where the cluster's addresses
	// hold.
	enteredVariable = "EMCO_CHAOS_ENTERED"
)

func TestMain(m *testing.M) {
	// In a pod this is the service, or its back end.
	drivertest.Serve()
	if err := enter(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// enter runs the tests anew inside the network namespace of a cluster that
// has one, and does not return then.
func enter() error {
	file := os.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if file == "" || os.Getenv(enteredVariable) != "" {
		return nil
	}
	up, err := cluster.FromKubeconfig(file)
	if err != nil {
		return err
	}
	if !up.Ours() {
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	inside := up.Enter(ctx, program, os.Args[1:]...)
	inside.Stdout, inside.Stderr = os.Stdout, os.Stderr
	// An interrupt that is sent to all of a group comes once, from here.
	inside.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	inside.Cancel = func() error { return inside.Process.Signal(os.Interrupt) }
	inside.WaitDelay = 2 * interruptLimit
	inside.Env = append(inside.Environ(), enteredVariable+"=yes")
	err = inside.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() >= 0 {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("run the tests inside the cluster's network: %w", err)
	}
	os.Exit(0)
	return nil
}
