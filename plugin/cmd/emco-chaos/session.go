package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// session is what the flags that all commands have say, and where the
// command's words come from and go.
type session struct {
	in           io.Reader
	out, errs    io.Writer
	plugin       string
	pluginDir    string
	pluginSHA256 string
	pluginEnv    []string
	target       string
}

// start starts the plugin. The target's credentials may name environment
// variables; the plugin gets those, and no others.
func (s *session) start(ctx context.Context, target *target.Target) (*host.Process, error) {
	path, err := host.Find(s.plugin, s.pluginDir)
	if err != nil {
		return nil, err
	}
	env := slices.Clone(s.pluginEnv)
	if target != nil {
		for _, secret := range target.Credentials.References() {
			if secret.Env != "" {
				env = append(env, secret.Env)
			}
		}
	}
	process, err := host.Start(ctx, host.Options{Path: path, SHA256: s.pluginSHA256, Env: env, Log: s.errs})
	if errors.Is(err, host.ErrPin) {
		return nil, err
	}
	return process, failure(err)
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

// wire is the target as it goes to the plugin.
func wire(target *target.Target) ([]byte, error) {
	if target == nil {
		return nil, nil
	}
	data, err := json.Marshal(target)
	if err != nil {
		return nil, fmt.Errorf("send the target: %w", err)
	}
	return data, nil
}

// chosen says which experiments a command is about.
type chosen struct {
	all   bool
	files []string
	set   []string
}

// sources are the chosen experiments, for the plugin to compile.
func (c chosen) sources(ctx context.Context, plugin *host.Process, names []string, target *target.Target) ([]sdk.Source, error) {
	parameters, err := parseSet(c.set)
	if err != nil {
		return nil, err
	}
	data, err := wire(target)
	if err != nil {
		return nil, err
	}
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
		sources = append(sources, sdk.Source{Experiment: name, Target: data, Parameters: parameters})
	}
	for _, file := range c.files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read the experiment: %w", err)
		}
		sources = append(sources, sdk.Source{File: file, Text: text, Target: data, Parameters: parameters})
	}
	if len(sources) == 0 {
		return nil, errors.New("no experiment: give the names of some (emco-chaos list shows them), a file with -f, or --all")
	}
	return sources, nil
}

// compile compiles all sources, and tells the mistakes in all of them.
func compile(ctx context.Context, plugin *host.Process, sources []sdk.Source) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	var problems document.Problems
	for _, source := range sources {
		compiled, err := plugin.Compile(ctx, source)
		var found document.Problems
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
			continue
		case err != nil:
			return nil, failure(err)
		}
		// The plan may come from a stranger's plugin.
		problems = append(problems, check(compiled)...)
		plans = append(plans, compiled)
	}
	return plans, problems.Err()
}

func parseSet(pairs []string) (map[string]string, error) {
	parameters := map[string]string{}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("--set %s: write --set NAME=VALUE", pair)
		}
		if _, again := parameters[name]; again {
			return nil, fmt.Errorf("--set %s: %s is set twice", pair, name)
		}
		parameters[name] = value
	}
	return parameters, nil
}
