// Package cli has what the commands of the product have in common: --version
// everywhere, mistakes that name the nearest word there is, and exit codes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Usage is the exit code of a mistake in the use of a command.
const Usage = 2

// Exit ends a command with a code. A nil Err prints nothing.
type Exit struct {
	Code int
	Err  error
}

func (e *Exit) Error() string { return fmt.Sprintf("exit %d: %v", e.Code, e.Err) }

func (e *Exit) Unwrap() error { return e.Err }

// Ended is the error of a command that has said all, and ends with a code; nil if that is 0.
func Ended(code int) error {
	if code == 0 {
		return nil
	}
	return &Exit{Code: code}
}

// Run runs a command, and returns its exit code. An error that is no [Exit] is a
// mistake in its use.
func Run(ctx context.Context, root *cobra.Command, args []string, out, errs io.Writer) int {
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := Usage
	if exit, is := errors.AsType[*Exit](err); is {
		code, err = exit.Code, exit.Err
	}
	if err != nil {
		fmt.Fprintln(errs, err)
	}
	return code
}

// Output adds the flag for the form of output; the first form is the default.
func Output[Form ~string](command *cobra.Command, output *Form, forms ...Form) {
	var names []string
	for _, form := range forms {
		names = append(names, string(form))
	}
	last := len(names) - 1
	list := strings.Join(names[:last], ", ") + " or " + names[last]
	*output = forms[0]
	command.Flags().FuncP("output", "o", fmt.Sprintf("the output's `FORM`: %s (default %q)", list, forms[0]), func(form string) error {
		if !slices.Contains(names, form) {
			return errors.New("write -o " + list)
		}
		*output = Form(form)
		return nil
	})
	Complete(command, "output", names)
}

// Complete has a shell complete a flag of the command by words.
func Complete(command *cobra.Command, flag string, words []string) {
	// An error says that there is no such flag.
	_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// Finish is called on a root that has all of its commands.
func Finish(root *cobra.Command, version string) {
	root.SilenceUsage, root.SilenceErrors, root.CompletionOptions.HiddenDefaultCmd = true, true, true
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
