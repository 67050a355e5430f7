package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// session holds the flags shared by all commands, and their streams.
type session struct {
	in        io.Reader
	out, errs io.Writer
	plugin    run.PluginOptions
	// target is the target's file; empty when none is named.
	target string
}

func (s *session) flags(flags *pflag.FlagSet) {
	flags.StringVar(&s.plugin.Name, "plugin", "emco", "the plugin `NAME`")
	flags.StringVar(&s.plugin.Directory, "plugin-dir", "", "the `DIRECTORY` to look for the plugin in; else beside this command, then on PATH")
	flags.StringVar(&s.plugin.SHA256, "plugin-sha256", "", "what the plugin's binary must hash to, in `HEX`")
	flags.StringSliceVar(&s.plugin.Env, "plugin-env", nil, "environment variables, by `NAME`, that the plugin gets beside those that the target names")
	flags.StringVarP(&s.target, "target", "t", "", "the target `FILE`: the EMCO under test")
}

// start starts the plugin for a target, which may be nil.
func (s *session) start(ctx context.Context, target *target.Target) (*run.Plugin, error) {
	plugin, err := run.Start(ctx, s.plugin, target)
	return plugin, failure(err)
}

// describe calls show with the description of the plugin.
func (s *session) describe(ctx context.Context, show func(sdk.Description) error) error {
	plugin, err := s.start(ctx, nil)
	if err != nil {
		return err
	}
	defer plugin.Close()
	description, err := plugin.Describe(ctx)
	if err != nil {
		return failure(err)
	}
	return failure(show(description))
}

// readTarget reads the target file; without one it returns nil, and the
// plugin takes its own default.
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

// end closes what a command opened, and tells what goes wrong.
func (s *session) end(close func() error) {
	if err := close(); err != nil {
		fmt.Fprintln(s.errs, err)
	}
}

// linesTo returns a function that prints lines, which may come from several
// goroutines.
func linesTo(out io.Writer) func(string) {
	var mu sync.Mutex
	return func(text string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, text)
	}
}

// chosen are the flags that choose experiments.
type chosen struct {
	all   bool
	files []string
	set   parameters
}

func (c *chosen) flags(command *cobra.Command) {
	command.Flags().BoolVar(&c.all, "all", false, "all experiments that the plugin brings")
	command.Flags().StringArrayVarP(&c.files, "file", "f", nil, "an experiment in a `FILE` of your own")
	command.Flags().Var(&c.set, "set", "a parameter's value, as `NAME=VALUE`")
}

// split takes the arguments that are files to the files, and returns the
// others, which are names.
func (c *chosen) split(args []string) (names []string) {
	for _, arg := range args {
		if _, err := os.Stat(arg); err == nil || !errors.Is(err, os.ErrNotExist) {
			c.files = append(c.files, arg)
			continue
		}
		names = append(names, arg)
	}
	return names
}

// compile compiles the chosen experiments. The mistakes in all of them are the
// error, beside the plans of the others.
func (c *chosen) compile(ctx context.Context, plugin *run.Plugin, names []string) ([]*plan.Plan, error) {
	if c.all {
		description, err := plugin.Describe(ctx)
		if err != nil {
			return nil, failure(err)
		}
		names = nil
		for _, experiment := range description.Experiments {
			names = append(names, experiment.Name)
		}
	}
	var sources []sdk.Source
	for _, name := range names {
		sources = append(sources, sdk.Source{Experiment: name, Parameters: c.set})
	}
	for _, file := range c.files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the experiment: %w", err)
		}
		sources = append(sources, sdk.Source{File: file, Text: text, Parameters: c.set})
	}
	if len(sources) == 0 {
		return nil, errors.New("no experiment: give the names of some (emco-chaos list shows them), a file with -f, or --all")
	}
	plans, err := plugin.CompileAll(ctx, sources)
	return plans, failure(err)
}

// compileFor compiles the chosen experiments for the target that is named, if
// one is.
func (s *session) compileFor(ctx context.Context, choice chosen, args []string) ([]*plan.Plan, error) {
	target, err := s.readTarget()
	if err != nil {
		return nil, err
	}
	plugin, err := s.start(ctx, target)
	if err != nil {
		return nil, err
	}
	defer plugin.Close()
	return choice.compile(ctx, plugin, choice.split(args))
}

// parameters is a flag, given once for each parameter.
type parameters map[string]string

func (*parameters) Type() string { return "stringArray" }

func (*parameters) String() string { return "" }

// Set takes NAME=VALUE.
func (p *parameters) Set(pair string) error {
	name, value, found := strings.Cut(pair, "=")
	if !found || name == "" {
		return errors.New("write --set NAME=VALUE")
	}
	if _, again := (*p)[name]; again {
		return fmt.Errorf("%s is set twice", name)
	}
	if *p == nil {
		*p = parameters{}
	}
	(*p)[name] = value
	return nil
}

// The forms of output.
const (
	outputText = "text"
	outputJSON = "json"
)

// outputFlag adds the flag for the form of output: text, json or one of more.
func outputFlag(command *cobra.Command, output *string) {
	*output = outputText
	command.Flags().VarP(&oneOf{output, []string{outputText, outputJSON}, "-o text or -o json"}, "output", "o", "the output's `FORM`: text or json")
}

// oneOf is a flag that takes one of a few words.
type oneOf struct {
	value *string
	words []string
	// write is how it is written.
	write string
}

func (*oneOf) Type() string { return "string" }

func (o *oneOf) String() string {
	if o.value == nil {
		return ""
	}
	return *o.value
}

// Set takes one of the words.
func (o *oneOf) Set(word string) error {
	if !slices.Contains(o.words, word) {
		return errors.New("write " + o.write)
	}
	*o.value = word
	return nil
}
