// Command emco-probe asks an EMCO what the experiments ask it: one probe at a
// time from the command line, or, as emco-probe serve, over HTTP.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code := Main(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// exitCodes are those of emco-chaos.
var exitCodes = map[probes.Conclusion]int{probes.Passed: 0, probes.Failed: 1, probes.Inconclusive: 3, probes.Errored: 4}

// Main is the command, with its exit code.
func Main(ctx context.Context, args []string, out, errs io.Writer) int {
	root := &cobra.Command{
		Use:   "emco-probe",
		Short: "Ask an EMCO what the experiments ask it",
		Long: "Ask an EMCO what the experiments ask it.\n\n" +
			"Exit codes: 0 passed, 1 failed, 2 usage, 3 inconclusive, 4 error.",
	}
	for _, kind := range probes.Catalogue() {
		root.AddCommand(newProbe(kind))
	}
	root.AddCommand(newServe())
	cli.Finish(root, version)
	return cli.Run(ctx, root, args, out, errs)
}

// toolError is an error of this command, not of what it asks.
func toolError(err error) error {
	if err != nil {
		err = &cli.Exit{Code: exitCodes[probes.Errored], Err: err}
	}
	return err
}
