// Command emco-probe asks an EMCO what the experiments ask it: one probe at a
// time from the command line, or, as emco-probe serve, over HTTP.
package main

import (
	"context"
	"errors"
	"fmt"
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

// The exit codes, those of emco-chaos.
const (
	exitPassed       = 0
	exitFailed       = 1
	exitUsage        = 2
	exitInconclusive = 3
	exitError        = 4
)

var exitCodes = map[probes.Conclusion]int{
	probes.Passed: exitPassed, probes.Failed: exitFailed, probes.Inconclusive: exitInconclusive, probes.Errored: exitError,
}

// Main is the command, with its exit code.
func Main(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitPassed
	}
	code := exitUsage
	if exit, ok := errors.AsType[*exitCode](err); ok {
		code, err = exit.code, exit.err
	}
	if err != nil {
		fmt.Fprintln(errs, err)
	}
	return code
}

// exitCode ends the command with a code. A nil err says nothing.
type exitCode struct {
	code int
	err  error
}

func (e *exitCode) Error() string { return fmt.Sprintf("exit %d: %v", e.code, e.err) }

// toolError is an error of this command, not of what it asks.
func toolError(err error) error {
	if err != nil {
		err = &exitCode{code: exitError, err: err}
	}
	return err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "emco-probe",
		Short: "Ask an EMCO what the experiments ask it",
		Long: "Ask an EMCO what the experiments ask it.\n\n" +
			"Exit codes: 0 passed, 1 failed, 2 usage, 3 inconclusive, 4 error.",
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	for _, kind := range probes.Catalogue() {
		root.AddCommand(newProbe(kind))
	}
	root.AddCommand(newServe())
	cli.Finish(root, version)
	return root
}
