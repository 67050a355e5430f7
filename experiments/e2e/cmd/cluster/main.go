// Command cluster brings up the cluster of the end-to-end tests for people,
// and takes it down again.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
)

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	// What nohup started goes on.
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	// Whoever reads our words may be interrupted too: what was started is still
	// taken down.
	signal.Ignore(syscall.SIGPIPE)
	// Kubernetes' own libraries write about every watch that ends.
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:           "cluster",
		Short:         "A real Kubernetes with Chaos Mesh and an emulated EMCO on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	var name, directory string
	root.PersistentFlags().StringVar(&name, "name", cluster.DefaultName, "name of the cluster and of its network namespace")
	root.PersistentFlags().StringVar(&directory, "dir", "", "its state folder (default: one for the name in the folder for temporary files)")
	folder := func() string {
		if directory != "" {
			return directory
		}
		return cluster.DefaultFolder(name)
	}
	root.AddCommand(up(&name, folder), down(folder), status(folder), load(folder), build(), test(&name, folder))
	return root
}

func up(name *string, folder func() string) *cobra.Command {
	var official bool
	command := &cobra.Command{
		Use:   "up",
		Short: "Bring the cluster up; build first what is missing",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			options := cluster.Options{
				Name: *name, Folder: folder(), Readiness: cluster.Quick, Progress: command.ErrOrStderr(),
			}
			if official {
				options.Readiness = cluster.Official
			}
			begun := time.Now()
			made, err := cluster.Up(command.Context(), options)
			if err != nil {
				return err
			}
			fmt.Fprintf(command.ErrOrStderr(), "the cluster is up after %s\n", time.Since(begun).Round(100*time.Millisecond))
			return describe(command.Context(), command.OutOrStdout(), made)
		},
	}
	command.Flags().BoolVar(&official, "official-readiness", false,
		"EMCO's pods are asked as in its own chart whether they are ready: after 10 s, every 30 s")
	return command
}

func down(folder func() string) *cobra.Command {
	var options cluster.DownOptions
	command := &cobra.Command{
		Use:   "down",
		Short: "Take the cluster down, also what is left of one",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := cluster.Open(folder())
			if err != nil {
				return err
			}
			// A half of it is no use to anybody: an interrupt does not stop it.
			return found.Down(context.WithoutCancel(command.Context()), options)
		},
	}
	command.Flags().BoolVar(&options.KeepLogs, "keep-logs", false, "leave the logs in the state folder")
	return command
}

func status(folder func() string) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Tell what runs, and how to use it",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			found, err := cluster.Open(folder())
			if err != nil {
				return err
			}
			if err := found.Check(); err != nil {
				return err
			}
			return describe(command.Context(), command.OutOrStdout(), found)
		},
	}
}

func load(folder func() string) *cobra.Command {
	return &cobra.Command{
		Use:   "load FILE…",
		Short: "Give the cluster images from tar files",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, files []string) error {
			found, err := cluster.Open(folder())
			if err != nil {
				return err
			}
			for _, file := range files {
				if err := found.Import(command.Context(), file); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func build() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Build what is missing, and no more",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			_, err := cluster.Build(command.Context(), command.ErrOrStderr())
			return err
		},
	}
}

func describe(ctx context.Context, out io.Writer, of *cluster.Cluster) error {
	described, err := of.Describe(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(out, described)
	return err
}
