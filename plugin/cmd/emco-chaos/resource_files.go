package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// resourceFiles holds the flags of the commands on emcoctl's resource files.
type resourceFiles struct {
	sources emcoctl.Sources
	config  string
	client  emco.Config // its credentials go with config
	output  emcoctl.Form
	dry     bool
	options emcoctl.Options
	do      func(context.Context, *emco.Client, []emcoctl.Resource, emcoctl.Options, emcoctl.Observer) error
}

func newApply(s *session) *cobra.Command {
	f := &resourceFiles{do: emcoctl.Apply}
	command := f.command(s, "there already", &cobra.Command{
		Use:   "apply -f FILE...",
		Short: "Make what emcoctl's resource files describe, and wait for it",
		Long: `Make what emcoctl's resource files describe, in their order, and wait for each
instantiate to be done. What is there already is told and left as it is.
Exit codes: 0 all is done, 1 EMCO refused something, 2 usage, 4 EMCO could not be reached.`,
	})
	command.Flags().BoolVar(&f.dry, "dry-run", false, "print the calls, and make none")
	command.Flags().BoolVar(&f.options.NoWait, "no-wait", false, "do not wait for the state that the last call leads to")
	return command
}

func newDelete(s *session) *cobra.Command {
	f := &resourceFiles{do: emcoctl.Delete, sources: emcoctl.Sources{WithoutAttachments: true}}
	command := f.command(s, "gone already", &cobra.Command{
		Use:   "delete -f FILE...",
		Short: "Take back what emcoctl's resource files describe, the last first",
		Long: `Take back what emcoctl's resource files describe, the last first: what was
instantiated is terminated and waited for, the rest is deleted. What is gone
already is told. What apply did not make is left, controllers always, unless
--also names it; and so is what something hangs on that the files do not name:
EMCO can destroy what it refuses to delete. Exit codes as of apply.`,
	})
	command.Flags().StringSliceVar(&f.options.Also, "also", nil, "delete too what apply did not make: the `ANCHOR`, and what is below it in the files")
	return command
}

// command completes a command; already is what needs nothing to be done.
func (f *resourceFiles) command(s *session, already string, command *cobra.Command) *cobra.Command {
	command.Args = cobra.NoArgs
	command.RunE = func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), s, cmd.Name()) }
	flags := command.Flags()
	flags.StringSliceVarP(&f.sources.Files, "file", "f", nil, "a resource `FILE` of emcoctl's; several are taken in this order")
	flags.StringSliceVarP(&f.sources.Values, "values", "v", nil, "the values `FILE` that the resource files are filled with")
	flags.StringVar(&f.sources.Root, "root", "", "the `DIRECTORY` that no file may lie outside of; else any file is read")
	flags.StringVar(&f.config, "config", "", "emcoctl's configuration `FILE`, in place of a target")
	flags.StringVar(&f.client.Token.Env, "token-env", "", "the `NAME` of the environment variable with the bearer token, beside --config")
	flags.StringVar(&f.client.Token.File, "token-file", "", "the `FILE` with the bearer token, beside --config")
	flags.StringVar(&f.client.CAFile, "ca", "", "the `FILE` with the certificate authority to trust, beside --config")
	cli.Output(command, &f.output, emcoctl.Forms()...)
	flags.Func("format", "the same as --output", flags.Lookup("output").Value.Set)
	flags.BoolVar(&f.options.KeepGoing, "keep-going", false, "go on after a refusal, and past a service that is not reached, as emcoctl does")
	flags.DurationVar(&f.client.Timeout, "call-timeout", time.Minute, "how long one call may take")
	flags.DurationVar(&f.options.Patience, "timeout", 5*time.Minute, "how long to wait for one state")
	flags.BoolVar(&f.options.Strict, "strict", false, "take it for a refusal that something is "+already)
	return command
}

func (f *resourceFiles) run(ctx context.Context, s *session, name string) error {
	if len(f.sources.Files) == 0 {
		return errors.New("no resource file: name it with -f FILE")
	}
	if f.client.Timeout <= 0 || f.options.Patience <= 0 {
		return errors.New("--timeout and --call-timeout must be more than 0")
	}
	config, target, err := f.access(s)
	if err != nil {
		return err
	}
	config.Timeout = f.client.Timeout
	client, err := emco.New(config)
	if err != nil {
		return err
	}
	resources, err := emcoctl.Read(f.sources)
	if err != nil {
		return err
	}
	for _, resource := range resources {
		url, err := client.URL(resource.Post())
		if err != nil {
			return fmt.Errorf("%s: document %d: %w", resource.File, resource.Document, err)
		}
		if f.dry {
			fmt.Fprintln(s.out, strings.TrimSuffix(fmt.Sprintf("POST %s (%s)", url, resource.Name()), " ()"))
		}
	}
	if f.dry {
		return nil
	}

	ctx, _, stop := interrupts(ctx, s.errs)
	defer stop()
	end, err := s.startLocal(ctx, target)
	if err != nil {
		return failure(err)
	}
	defer end()
	printer := emcoctl.NewPrinter(s.out, f.output, strings.ToUpper(name[:1])+name[1:])
	err = f.do(ctx, client, resources, f.options, printer)
	if printing := printer.End(); printing != nil {
		return failure(printing)
	}
	if errors.Is(err, emcoctl.ErrRefused) {
		return &cli.Exit{Code: report.ExitFailed, Err: err}
	}
	return failure(err)
}

// access says how EMCO is reached: as emcoctl's configuration has it, or by
// a target, which is nil in the first case.
func (f *resourceFiles) access(s *session) (emco.Config, *target.Target, error) {
	switch {
	case f.config != "":
	case f.client.Token != (emco.Secret{}) || f.client.CAFile != "":
		return emco.Config{}, nil, errors.New("--token-env, --token-file and --ca go with --config; a target has its own credentials")
	case s.target == "":
		return emco.Config{}, nil, errors.New("no EMCO: name it with emcoctl's --config FILE or with --target FILE")
	}
	reached, target, err := access.Read(f.config, s.target)
	if f.config != "" {
		reached.Client.Token, reached.Client.CAFile = f.client.Token, f.client.CAFile
	}
	return reached.Client, target, err
}

func (s *session) access() (*target.Target, access.Access, error) {
	target, err := s.needTarget()
	if err != nil {
		return nil, access.Access{}, err
	}
	reached, err := access.Of(target)
	return target, reached, err
}

// startLocal starts the EMCO of a local target, which runs as long as its driver
// does, and returns what ends it. For other targets, or none, it does nothing.
func (s *session) startLocal(ctx context.Context, target *target.Target) (end func(), err error) {
	if target == nil || target.Driver.Local == nil {
		return func() {}, nil
	}
	opened, err := run.OpenLocal(ctx, target, s.tell)
	if err != nil {
		return nil, err
	}
	return func() { s.end(opened.Close) }, nil
}
