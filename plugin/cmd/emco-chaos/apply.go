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
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// users is what the commands have in common that work with the files of
// EMCO's users.
type users struct {
	sources   emcoctl.Sources
	config    string
	tokenEnv  string
	tokenFile string
	ca        string
	output    string
	timeout   time.Duration // of a call
	options   emcoctl.Options
}

// work applies or deletes resources.
type work func(context.Context, *emco.Client, []emcoctl.Resource, emcoctl.Options, emcoctl.Observer) error

func newApply(s *session) *cobra.Command {
	how := &users{}
	command := &cobra.Command{
		Use:   "apply -f FILE...",
		Short: "Make what emcoctl's resource files describe, and wait for it",
		Long: "Make what emcoctl's resource files describe, in their order, and wait for each\n" +
			"instantiate to be done. What is there already is told and left as it is.\n" +
			"Exit codes: 0 all is done, 1 EMCO refused something, 2 usage, 4 EMCO could not be reached.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.files(cmd.Context(), how, "Apply", emcoctl.Apply) },
	}
	how.flags(command)
	command.Flags().BoolVar(&how.options.NoWait, "no-wait", false, "do not wait for the state that the last call leads to")
	command.Flags().BoolVar(&how.options.Strict, "strict", false, "take it for a refusal that something is there already")
	return command
}

func (u *users) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringSliceVarP(&u.sources.Files, "file", "f", nil, "a resource `FILE` of emcoctl's; several are taken in this order")
	flags.StringSliceVarP(&u.sources.Values, "values", "v", nil, "the values `FILE` that the resource files are filled with")
	flags.StringVar(&u.sources.Root, "root", "", "the `DIRECTORY` that no file may lie outside of; else any file is read")
	flags.StringVar(&u.config, "config", "", "emcoctl's configuration `FILE`, in place of a target")
	flags.StringVar(&u.tokenEnv, "token-env", "", "the `NAME` of the environment variable with the bearer token, beside --config")
	flags.StringVar(&u.tokenFile, "token-file", "", "the `FILE` with the bearer token, beside --config")
	flags.StringVar(&u.ca, "ca", "", "the `FILE` with the certificate authority to trust, beside --config")
	flags.StringVarP(&u.output, "output", "o", string(emcoctl.Plain), "the output's `FORM`: text, json or emcoctl")
	flags.StringVar(&u.output, "format", string(emcoctl.Plain), "the same as --output")
	flags.BoolVar(&u.options.KeepGoing, "keep-going", false, "go on after a refusal, as emcoctl does")
	flags.DurationVar(&u.timeout, "call-timeout", time.Minute, "how long one call may take")
	flags.DurationVar(&u.options.Patience, "timeout", 5*time.Minute, "how long to wait for one state")
}

// files applies or deletes what the users' files describe.
func (s *session) files(ctx context.Context, u *users, during string, do work) error {
	form, err := u.form()
	if err != nil {
		return err
	}
	if len(u.sources.Files) == 0 {
		return errors.New("no resource file: name it with -f FILE")
	}
	if u.timeout <= 0 || u.options.Patience <= 0 {
		return errors.New("--timeout and --call-timeout must be more than 0")
	}
	config, target, err := s.access(u)
	if err != nil {
		return err
	}
	config.Timeout = u.timeout
	client, err := emco.New(config)
	if err != nil {
		return err
	}
	resources, err := emcoctl.Read(u.sources)
	if err != nil {
		return err
	}
	for _, resource := range resources {
		if _, err := client.URL(resource.Post()); err != nil {
			return fmt.Errorf("%s: document %d: %w", resource.File, resource.Document, err)
		}
	}

	ctx, _, stop := interrupts(ctx, s.errs)
	defer stop()
	// An EMCO of processes on this machine runs as long as its driver does.
	if target != nil && target.Driver.Local != nil {
		opened, err := run.OpenLocal(ctx, target, linesTo(s.errs))
		if err != nil {
			return failure(err)
		}
		defer s.end(opened.Close)
	}
	printer := emcoctl.NewPrinter(s.out, form, during)
	err = do(ctx, client, resources, u.options, printer)
	if printing := printer.End(); printing != nil {
		return failure(printing)
	}
	if errors.Is(err, emcoctl.ErrRefused) {
		return &exitError{code: report.ExitFailed, err: err}
	}
	return failure(err)
}

func (u *users) form() (emcoctl.Form, error) {
	var known []string
	for _, form := range emcoctl.Forms() {
		if u.output == string(form) {
			return form, nil
		}
		known = append(known, string(form))
	}
	return "", fmt.Errorf("-o %s: write one of %s", u.output, strings.Join(known, ", "))
}

// access says how EMCO is reached: as emcoctl's configuration has it, or by
// a target, which is nil in the first case.
func (s *session) access(u *users) (emco.Config, *target.Target, error) {
	if u.config == "" {
		if u.tokenEnv != "" || u.tokenFile != "" || u.ca != "" {
			return emco.Config{}, nil, errors.New("--token-env, --token-file and --ca go with --config; a target has its own credentials")
		}
		if s.target == "" {
			return emco.Config{}, nil, errors.New("no EMCO: name it with emcoctl's --config FILE or with --target FILE")
		}
		target, err := s.readTarget()
		if err != nil {
			return emco.Config{}, nil, err
		}
		reached, err := access.Of(target)
		return reached.Client, target, err
	}
	if s.target != "" {
		return emco.Config{}, nil, errors.New("both --config and --target are given: keep one")
	}
	read, err := emcoctl.ReadConfig(u.config)
	if err != nil {
		return emco.Config{}, nil, err
	}
	config := read.Client()
	config.Token = emco.Secret{Env: u.tokenEnv, File: u.tokenFile}
	config.CAFile = u.ca
	return config, nil, nil
}
