package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
	"github.com/spf13/cobra"
)

const (
	// productImage is the name of the product's image in the cluster.
	productImage = "emco-chaos.test/emco-chaos:e2e"
	// source is the product's module, from this one's folder.
	source = "../.."
	// endLimit is how long a program that was interrupted may take to end.
	endLimit = 30 * time.Second
	// tidyLimit is how long tests that were interrupted may take to end, on a
	// cluster that stays: they take back what they did to it.
	tidyLimit = 5 * time.Minute
)

// trial is a run of the end-to-end tests.
type trial struct {
	artefacts string
	out, errs io.Writer
	arguments []string
	// stays says that the cluster is somebody's and not taken down afterwards.
	stays bool
}

func test(name *string, folder func() string) *cobra.Command {
	run := trial{}
	command := &cobra.Command{
		Use:   "test [-- ARGUMENT…]",
		Short: "Run the end-to-end tests on a cluster that is brought up for them and taken down afterwards",
		Long: `Run the end-to-end tests, with go test's ARGUMENTs, on a cluster that is brought
up for them and taken down afterwards, also when they are interrupted or fail.
Logs, events and journals are kept. With KUBECONFIG set that cluster is used and
left alone: one that "up" has brought up, or one of your own, of which the
environment says the rest (EMCO_CHAOS_TARGET and so on): tests that need more than
there is are skipped, and say what.

Where no cluster can be brought up, the reason is told and the tests are skipped.`,
		RunE: func(command *cobra.Command, arguments []string) error {
			run.out, run.errs, run.arguments = command.OutOrStdout(), command.ErrOrStderr(), arguments
			if !command.Flag("name").Changed {
				// Beside one that "up" has brought up.
				*name = cluster.DefaultName + "-e2e"
			}
			return run.run(command.Context(), *name, folder())
		},
	}
	command.Flags().StringVar(&run.artefacts, "artefacts", filepath.Join(source, "bin", "e2e"), "the `DIRECTORY` for logs, events and journals; emptied first")
	return command
}

func (r *trial) run(ctx context.Context, name, folder string) error {
	artefacts, err := filepath.Abs(r.artefacts)
	if err != nil {
		return err
	}
	r.artefacts = artefacts
	if err := os.RemoveAll(r.artefacts); err != nil {
		return fmt.Errorf("empty the folder for artefacts: %w", err)
	}
	if err := os.MkdirAll(r.artefacts, 0o755); err != nil {
		return fmt.Errorf("make the folder for artefacts: %w", err)
	}
	if file := os.Getenv("KUBECONFIG"); file != "" {
		there, err := cluster.FromKubeconfig(file)
		if err != nil {
			return err
		}
		r.stays = true
		stop := context.AfterFunc(ctx, func() {
			fmt.Fprintln(r.errs, "interrupted: the tests take back what they did to the cluster; interrupt again not to wait for that")
			signal.Reset(os.Interrupt, syscall.SIGTERM)
		})
		defer stop()
		if err := r.build(ctx); err != nil {
			return err
		}
		return r.on(ctx, there)
	}
	if err := cluster.Able(); err != nil {
		fmt.Fprintf(r.errs, "the end-to-end tests are skipped: %v\n", err)
		return r.goTest(ctx, nil, nil)
	}
	if err := r.clear(ctx, name, folder); err != nil {
		return err
	}
	building, stop := context.WithCancel(ctx)
	defer stop()
	var built error
	var work sync.WaitGroup
	work.Go(func() { built = r.build(building) })
	made, err := cluster.Up(ctx, cluster.Options{Name: name, Folder: folder, Readiness: cluster.Quick, Progress: r.errs})
	if err != nil {
		stop()
		work.Wait()
		return err
	}
	work.Wait()
	if err = built; err == nil {
		err = r.on(ctx, made)
	}
	// Whatever happened, what was started goes.
	after := context.WithoutCancel(ctx)
	return errors.Join(err, made.Save(after, filepath.Join(r.artefacts, "cluster")), made.Down(after, cluster.DownOptions{}))
}

// clear takes down what is left of a cluster of earlier tests that could not
// do it themselves.
func (r *trial) clear(ctx context.Context, name, folder string) error {
	left, err := cluster.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	alive, err := left.Alive()
	if err != nil {
		return err
	}
	if len(alive) > 0 {
		down := "go -C experiments/e2e run ./cmd/cluster down --name " + name
		if folder != cluster.DefaultFolder(name) {
			down += " --dir " + folder
		}
		return fmt.Errorf("a cluster of other tests is up in %s (%s): wait for them, or if there are none any more take it down:\n  %s",
			folder, strings.Join(alive, ", "), down)
	}
	fmt.Fprintf(r.errs, "taking down what is left of the cluster of earlier tests in %s\n", folder)
	return left.Down(context.WithoutCancel(ctx), cluster.DownOptions{})
}

// programs is the folder of the commands that the tests start.
func (r *trial) programs() string { return filepath.Join(r.artefacts, "bin") }

// image is the product's image, for the cluster.
func (r *trial) image() string { return filepath.Join(r.artefacts, "emco-chaos-image.tar") }

// build builds what the tests try out.
func (r *trial) build(ctx context.Context) error {
	programs := r.programs() + "/"
	if err := r.static(ctx, source, "go", "build", "-trimpath", "-o", programs, "./plugin/cmd/...", "./probes/cmd/...").Run(); err != nil {
		return fmt.Errorf("build the commands: %w", err)
	}
	// The README's commands need them.
	if err := r.static(ctx, "", "go", "build", "-trimpath", "-o", programs, "helm.sh/helm/v4/cmd/helm").Run(); err != nil {
		return fmt.Errorf("build helm: %w", err)
	}
	if err := r.command(ctx, source, "go", "-C", "experiments/e2e", "run", "./image/build", "--source", "../..", "--name", productImage, "--version", "e2e", "-o", r.image()).Run(); err != nil {
		return fmt.Errorf("build the image: %w", err)
	}
	return nil
}

// on runs the tests on a cluster.
func (r *trial) on(ctx context.Context, there *cluster.Cluster) error {
	environment := []string{
		"KUBECONFIG=" + there.Kubeconfig(),
		"EMCO_CHAOS_BIN=" + r.programs(),
	}
	if !there.Ours() {
		return r.goTest(ctx, nil, environment)
	}
	if err := os.Symlink(there.Kubectl(), filepath.Join(r.programs(), "kubectl")); err != nil {
		return fmt.Errorf("put kubectl beside helm: %w", err)
	}
	if err := there.Import(ctx, r.image()); err != nil {
		return err
	}
	if err := os.Remove(r.image()); err != nil {
		return err
	}
	environment = append(environment,
		// Everything can be run on one of ours.
		"EMCO_CHAOS_E2E_REQUIRED=1",
		"EMCO_CHAOS_TARGET="+there.Target(),
		"EMCO_CHAOS_EDGE_KUBECONFIG="+there.EdgeKubeconfig(),
		"EMCO_CHAOS_EDGE_ADDRESS="+cluster.EdgeEndpoint,
		"EMCO_CHAOS_IMAGE="+productImage,
	)
	return r.goTest(ctx, strings.Fields(there.Prefix()), environment)
}

// goTest runs the tests behind the prefix: they are built outside the
// cluster's network namespace, which has no way out.
func (r *trial) goTest(ctx context.Context, prefix, environment []string) error {
	arguments := []string{"test", "-trimpath", "-tags", "e2e", "-count", "1", "-json", "-p", "1", "-timeout", "60m", "-artifacts", "-outputdir", r.artefacts}
	if len(prefix) > 0 {
		arguments = append(arguments, "-exec", strings.Join(prefix, " "))
	}
	arguments = append(arguments, r.arguments...)
	command := r.static(ctx, "", "go", append(arguments, ".", "./driver", "./chart")...)
	command.Env = append(command.Env, environment...)
	if r.stays {
		command.WaitDelay = tidyLimit
	}
	counted := newTally(r.out)
	command.Stdout = counted
	err := command.Run()
	fmt.Fprintln(r.out, counted)
	if err != nil {
		return fmt.Errorf("the tests: %w", err)
	}
	return nil
}

// static is a command of Go's that compiles as the image is compiled: a test binary
// is also what runs in pods, with nothing else beside it, and what is compiled once
// serves all.
func (r *trial) static(ctx context.Context, folder, program string, arguments ...string) *exec.Cmd {
	command := r.command(ctx, folder, program, arguments...)
	command.Env = append(command.Env, "CGO_ENABLED=0")
	return command
}

// command is a program that is interrupted, and all that it started with it,
// when ctx ends.
func (r *trial) command(ctx context.Context, folder, program string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Env = folder, os.Environ()
	command.Stdout, command.Stderr = r.out, r.errs
	// go test passes no interrupt on.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = endLimit
	return command
}
