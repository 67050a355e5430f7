// Package cli has what the commands of the product have in common: --version
// everywhere, and mistakes that name the nearest word there is.
package cli

import (
	"errors"
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Finish is called on a root that has all of its commands.
func Finish(root *cobra.Command, version string) {
	root.SetVersionTemplate(root.Name() + " version {{.Version}}\n")
	root.SetFlagErrorFunc(func(at *cobra.Command, err error) error {
		unknown, is := errors.AsType[*pflag.NotExistError](err)
		if !is || unknown.GetSpecifiedShortnames() != "" {
			return err
		}
		var known []string
		at.Flags().VisitAll(func(flag *pflag.Flag) { known = append(known, "--"+flag.Name) })
		return fmt.Errorf("%w; %s", err, document.Instead("--"+unknown.GetSpecifiedName(), known))
	})
	finish(root, version)
}

func finish(at *cobra.Command, version string) {
	at.Version = version
	for _, below := range at.Commands() {
		finish(below, version)
	}
	if !at.HasSubCommands() {
		return
	}
	at.RunE = func(at *cobra.Command, _ []string) error { return at.Help() }
	at.Args = func(at *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var known []string
		for _, below := range at.Commands() {
			if below.IsAvailableCommand() {
				known = append(known, below.Name())
			}
		}
		return fmt.Errorf("unknown command %q for %q; %s", args[0], at.CommandPath(), document.Instead(args[0], known))
	}
}
