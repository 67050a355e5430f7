package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// session holds the flags shared by all commands, and their streams.
type session struct {
	in        io.Reader
	out, errs io.Writer
	plugin    run.PluginOptions
	// target is the target's file; empty when none is named.
	target string
}

// pluginFlags adds the flags that choose the plugin.
func (s *session) pluginFlags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&s.plugin.Name, "plugin", "emco", "the plugin `NAME`")
	flags.StringVar(&s.plugin.SHA256, "plugin-sha256", "", "what the plugin's binary must hash to, in `HEX`")
	flags.StringSliceVar(&s.plugin.Env, "plugin-env", nil, "environment variables, by `NAME`, that the plugin gets beside those that the target names")
	s.folderFlag(command)
}

// folderFlag adds the flag that says where plugins are.
func (s *session) folderFlag(command *cobra.Command) {
	command.Flags().StringVar(&s.plugin.Directory, "plugin-dir", "", "the `DIRECTORY` to look for the plugin in; else beside this command, then on PATH")
}

// targetFlag adds the flag that names the target.
func (s *session) targetFlag(command *cobra.Command) {
	command.Flags().StringVarP(&s.target, "target", "t", "", "the target `FILE`: the EMCO under test")
}

// start starts the plugin for a target, which may be nil.
func (s *session) start(ctx context.Context, target *target.Target) (*run.Plugin, error) {
	plugin, err := run.Start(ctx, s.plugin, target)
	return plugin, failure(err)
}

// describe asks the plugin what it has.
func (s *session) describe(ctx context.Context) (sdk.Description, error) {
	plugin, err := s.start(ctx, nil)
	if err != nil {
		return sdk.Description{}, err
	}
	defer plugin.Close()
	description, err := plugin.Describe(ctx)
	return description, failure(err)
}

// namesOf are the names of a plugin's experiments.
func namesOf(plugin sdk.Description) (names []string) {
	for _, experiment := range plugin.Experiments {
		names = append(names, experiment.Name)
	}
	return names
}

// readTarget reads the target file; without one it returns nil.
func (s *session) readTarget() (*target.Target, error) {
	if s.target == "" {
		return nil, nil
	}
	target, problems := target.Read(s.target)
	return target, problems.Err()
}

// needTarget reads the target file that a command cannot do without.
func (s *session) needTarget() (*target.Target, error) {
	if s.target == "" {
		return nil, errors.New("no target: name the EMCO under test with --target FILE, or run `emco-chaos demo` for one on this machine")
	}
	return s.readTarget()
}

// end closes what a command opened, and prints what goes wrong.
func (s *session) end(close func() error) {
	if err := close(); err != nil {
		fmt.Fprintln(s.errs, err)
	}
}

// tell prints a line, from any goroutine: a file takes each in one piece.
func (s *session) tell(text string) { fmt.Fprintln(s.errs, text) }

// chosen are the flags that choose experiments.
type chosen struct {
	all   bool
	files []string
	set   parameters
}

func (c *chosen) flags(s *session, command *cobra.Command) {
	command.ValidArgsFunction = s.completeName
	command.Flags().BoolVar(&c.all, "all", false, "all experiments that the plugin brings")
	command.Flags().StringArrayVarP(&c.files, "file", "f", nil, "an experiment in a `FILE` of your own")
	c.set.flag(s, command, "a parameter's value, as `NAME=VALUE`")
}

// compile compiles the chosen experiments; the plans come beside the mistakes.
func (c *chosen) compile(ctx context.Context, plugin *run.Plugin, names []string) ([]*plan.Plan, error) {
	if c.all && len(names) > 0 {
		return nil, fmt.Errorf("--all is all experiments, %s too: leave one of the two out", names[0])
	}
	if c.all {
		description, err := plugin.Describe(ctx)
		if err != nil {
			return nil, failure(err)
		}
		names = namesOf(description)
	}
	var sources []sdk.Source
	files := c.files
	for _, name := range names {
		if isFile(name) {
			files = append(files, name)
			continue
		}
		sources = append(sources, sdk.Source{Experiment: name, Parameters: c.set})
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the experiment: %w", err)
		}
		if problem, large := document.TooLarge(file, text); large {
			return nil, document.Problems{problem}
		}
		sources = append(sources, sdk.Source{File: file, Text: text, Parameters: c.set})
	}
	if len(sources) == 0 {
		return nil, errors.New("no experiment: give the names of some (emco-chaos list shows them), a file with -f, or --all")
	}
	plans, err := plugin.CompileAll(ctx, sources)
	return plans, failure(err)
}

// compile compiles the chosen experiments for the target, which is nil when none is named.
func (s *session) compile(ctx context.Context, choice chosen, names []string) ([]*plan.Plan, *target.Target, error) {
	target, err := s.readTarget()
	if err != nil {
		return nil, nil, err
	}
	plugin, err := s.start(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	defer plugin.Close()
	plans, err := choice.compile(ctx, plugin, names)
	return plans, target, err
}

// isFile reports whether an argument is a file's name and not an experiment's: it
// looks like one, or is there.
func isFile(argument string) bool {
	if strings.ContainsRune(argument, os.PathSeparator) || slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(argument)) {
		return true
	}
	found, err := os.Stat(argument)
	return err == nil && found.Mode().IsRegular()
}

type parameters map[string]string

func (p *parameters) flag(s *session, command *cobra.Command, usage string) {
	*p = parameters{}
	command.Flags().Func("set", usage, func(pair string) error {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return errors.New("write --set NAME=VALUE")
		}
		if _, again := (*p)[name]; again {
			return fmt.Errorf("%s is set twice", name)
		}
		(*p)[name] = value
		return nil
	})
	// An error says that there is no such flag.
	_ = command.RegisterFlagCompletionFunc("set", s.completeParameter)
}

// completeName completes the names of experiments in a shell, without a plugin none.
func (s *session) completeName(at *cobra.Command, args []string, _ string) (names []cobra.Completion, files cobra.ShellCompDirective) {
	plugin, _ := s.describe(at.Context())
	for _, experiment := range plugin.Experiments {
		if !slices.Contains(args, experiment.Name) {
			names = append(names, cobra.CompletionWithDesc(experiment.Name, experiment.Title))
		}
	}
	return names, cobra.ShellCompDirectiveDefault
}

// completeParameter completes --set by the parameters of the experiments that are
// named, and the values that these can have.
func (s *session) completeParameter(at *cobra.Command, args []string, _ string) (pairs []cobra.Completion, open cobra.ShellCompDirective) {
	plugin, _ := s.describe(at.Context())
	for _, experiment := range plugin.Experiments {
		if len(args) > 0 && !slices.Contains(args, experiment.Name) {
			continue
		}
		for _, parameter := range experiment.Parameters {
			pairs = append(pairs, cobra.CompletionWithDesc(parameter.Name+"=", parameter.Description))
			for _, value := range parameter.Allowed {
				pairs = append(pairs, parameter.Name+"="+value)
			}
		}
	}
	slices.Sort(pairs)
	return slices.Compact(pairs), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

const outputJSON = "json"
