package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// PluginOptions select a plugin and limit what it gets.
type PluginOptions struct {
	// Name is the plugin's name, and Directory where it is looked for; an
	// empty one is beside this command, then on PATH.
	Name, Directory string
	// SHA256 is the checksum that the binary must have, in hex; empty allows
	// any.
	SHA256 string
	// Env are the names of the environment variables that the plugin gets,
	// besides those of the target's credentials.
	Env []string
	// Log receives what the plugin writes to its standard error.
	Log io.Writer
}

// UsageError is a mistake of the user, not trouble of the tool or the target.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

// process is the plugin's process; [host.Process] is one.
type process interface {
	engine.Plugin
	Describe(ctx context.Context) (sdk.Description, error)
	Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error)
	Close()
}

// Plugin is a running plugin, with the target that it is asked about.
type Plugin struct {
	process
	start func(context.Context) (process, error)
	// target is the target as JSON; nil leaves it to the plugin.
	target []byte
}

// Start starts a plugin. The target, which may be nil, goes to it with every
// question. Its credentials may name environment variables: the plugin gets
// those, and no others.
func Start(ctx context.Context, options PluginOptions, target *target.Target) (*Plugin, error) {
	path, err := host.Find(options.Name, options.Directory)
	if err != nil {
		return nil, &UsageError{err}
	}
	plugin := &Plugin{}
	env := slices.Clone(options.Env)
	if target != nil {
		if plugin.target, err = json.Marshal(target); err != nil {
			return nil, fmt.Errorf("send the target: %w", err)
		}
		for _, secret := range target.Credentials.References() {
			if secret.Env != "" {
				env = append(env, secret.Env)
			}
		}
	}
	plugin.start = func(ctx context.Context) (process, error) {
		return host.Start(ctx, host.Options{Path: path, SHA256: options.SHA256, Env: env, Log: options.Log})
	}
	plugin.process, err = plugin.start(ctx)
	switch {
	case errors.Is(err, host.ErrPin):
		return nil, &UsageError{err}
	case err != nil:
		return nil, err
	}
	return plugin, nil
}

// restart starts the plugin again after it died.
func (p *Plugin) restart(ctx context.Context) (engine.Plugin, error) {
	p.Close()
	fresh, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	p.process = fresh
	return fresh, nil
}

// CompileAll compiles experiments for the target. The mistakes in all of them
// come as one [document.Problems], beside the plans of those that have none.
func (p *Plugin) CompileAll(ctx context.Context, sources []sdk.Source) ([]*plan.Plan, error) {
	var plans []*plan.Plan
	var problems document.Problems
	for _, source := range sources {
		source.Target = p.target
		compiled, err := p.Compile(ctx, source)
		var found document.Problems
		switch {
		case errors.As(err, &found):
			problems = append(problems, found...)
			continue
		case err != nil:
			return nil, err
		}
		// A plan is checked again: the plugin may be a stranger's.
		found = plan.Check(compiled)
		if len(found) == 0 {
			found = fault.CheckPlan(compiled)
		}
		problems = append(problems, found...)
		plans = append(plans, compiled)
	}
	return plans, problems.Err()
}

// Ask has the plugin do an activity that belongs to no run. What it says on
// the way, removes and leaves goes to tell; removed counts what it removed.
func (p *Plugin) Ask(ctx context.Context, task sdk.Task, tell func(string)) (result sdk.Result, removed int, err error) {
	task.Attempt, task.Target = 1, p.target
	seen := observer{tell: tell}
	result, err = p.Run(ctx, task, &seen)
	return result, seen.removed, err
}

// observer tells what an activity does. No step waits for its events.
type observer struct {
	tell    func(string)
	removed int
}

func (*observer) Event(string, time.Time, map[string]string) {}

func (o *observer) Note(_ time.Time, text string) { o.tell(text) }

func (o *observer) Resource(resource sdk.Resource) {
	switch resource.State {
	case sdk.Removed:
		o.removed++
		o.tell("removed " + resource.Anchor)
	case sdk.Left:
		o.tell(fmt.Sprintf("left %s: %s", resource.Anchor, resource.Reason))
	}
}
