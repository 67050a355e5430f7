// Command emco-chaos runs chaos experiments on EMCO: it compiles them by a
// plugin, puts the faults on, and gives a verdict.
package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
)

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) }

// Main is the command, with its exit code: 0 all passed, 1 failed, 2 usage,
// 3 inconclusive, 4 error.
func Main(args []string, out, errs io.Writer) int {
	s := &session{in: os.Stdin, out: out, errs: errs}
	s.plugin.Log = errs
	// What client-go logs, its errors say too.
	ctx := klog.NewContext(context.Background(), logr.Discard())
	return cli.Run(ctx, newRoot(s), args, out, errs)
}

// failure gives an error of the tool, or of the system that it works on, its
// exit code. Mistakes in the use of the command keep theirs.
func failure(err error) error {
	switch {
	case err == nil, errors.As(err, new(*cli.Exit)), errors.As(err, new(*run.UsageError)), errors.As(err, new(document.Problems)):
		return err
	case errors.Is(err, run.ErrLeft):
		return cli.Ended(report.ExitError) // it has been told
	}
	return &cli.Exit{Code: report.ExitError, Err: err}
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{Use: "emco-chaos", Short: "Chaos experiments for EMCO, from YAML to verdict"}
	// A command has the flags that it obeys, and no others.
	for _, group := range []struct {
		flags    []func(*cobra.Command)
		commands []*cobra.Command
	}{
		{
			[]func(*cobra.Command){s.pluginFlags, s.targetFlag},
			[]*cobra.Command{newValidate(s), newRender(s), newRun(s), newClean(s), newDoctor(s), newController(s), newMap(s)},
		},
		{[]func(*cobra.Command){s.pluginFlags}, []*cobra.Command{newList(s), newDemo(s), newVersion(s), newSchema(s)}},
		{[]func(*cobra.Command){s.targetFlag}, []*cobra.Command{newApply(s), newDelete(s), newGMS(s), newConformance(s)}},
		{[]func(*cobra.Command){s.folderFlag}, []*cobra.Command{newPlugins(s)}},
		{nil, []*cobra.Command{newReport(s), newExplain(s), newCompare(s), newTrigger(s)}},
	} {
		for _, command := range group.commands {
			for _, add := range group.flags {
				add(command)
			}
			root.AddCommand(command)
		}
	}
	cli.Finish(root, version)
	return root
}
