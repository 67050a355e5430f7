// Command emco-emulator runs an emulated EMCO: each service as a process of its own, so that each can be killed and
// every link between them held, or all of them in one process.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "dev"

func main() {
	watchLifeline()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "emco-emulator:", err)
		stop()
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "emco-emulator",
		Short:         "An emulated EMCO to test against",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		etcdCommand(), mongoCommand(), edgeCommand(), rsyncCommand(),
		orchestratorCommand(), dcmCommand(), clmCommand(),
		serveCommand(), clusterCommand(),
	)
	cli.Finish(root, version)
	return root
}
