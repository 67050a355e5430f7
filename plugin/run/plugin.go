package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// PluginOptions select a plugin. Of its process's options Path is found, and Env
// are the variables beside those of the target's credentials.
type PluginOptions struct {
	// Name is the plugin's name, and Directory where it is looked for; an
	// empty one is beside this command, then on PATH.
	Name, Directory string
	host.Options
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
// question. Of the environment it gets what the target's credentials name.
func Start(ctx context.Context, options PluginOptions, target *target.Target) (*Plugin, error) {
	var err error
	if options.Path, err = host.Find(options.Name, options.Directory); err != nil {
		return nil, &UsageError{err}
	}
	plugin := &Plugin{start: func(ctx context.Context) (process, error) { return host.Start(ctx, options.Options) }}
	if target != nil {
		if plugin.target, err = json.Marshal(target); err != nil {
			return nil, fmt.Errorf("send the target: %w", err)
		}
		options.Env = slices.Clone(options.Env)
		for _, secret := range target.Credentials.References() {
			if secret.Env != "" {
				options.Env = append(options.Env, secret.Env)
			}
		}
	}
	if plugin.process, err = plugin.start(ctx); errors.Is(err, host.ErrPin) {
		return nil, &UsageError{err}
	}
	return plugin, err
}

// TargetHash is how journals name its target.
func (p *Plugin) TargetHash() string { return engine.TargetHash(p.target) }

// restart starts the plugin again after it died.
func (p *Plugin) restart(ctx context.Context) (engine.Plugin, error) {
	p.Close()
	fresh, err := p.start(ctx)
	if err == nil {
		p.process = fresh
	}
	return fresh, err
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
		// The plan is checked again: the plugin may be anybody's.
		if found = plan.Check(compiled); len(found) == 0 {
			found = fault.CheckPlan(compiled)
		}
		problems = append(problems, found...)
		compiled.Source = string(source.Text)
		plans = append(plans, compiled)
	}
	return plans, problems.Err()
}

// Ask has the plugin do an activity that belongs to no run. Its notes go to tell.
func (p *Plugin) Ask(ctx context.Context, task sdk.Task, tell func(string)) (sdk.Result, error) {
	return p.do(ctx, task, &observer{notes: tell, removals: tell})
}

func (p *Plugin) do(ctx context.Context, task sdk.Task, seen *observer) (sdk.Result, error) {
	task.Attempt, task.Target = 1, p.target
	return p.Run(ctx, task, seen)
}

// observer takes what an activity tells. No step waits for its events.
type observer struct {
	notes, removals func(string)
	removed         int
	left            []sdk.Resource
}

func (*observer) Event(string, time.Time, map[string]string) {}

func (o *observer) Note(_ time.Time, text string) { o.notes(text) }

func (o *observer) Resource(resource sdk.Resource) {
	switch resource.State {
	case sdk.Removed:
		o.removed++
		o.removals("removed " + resource.Anchor)
	case sdk.Left:
		o.left = append(o.left, resource)
	}
}
