// Package run makes runs on one target: [Start] starts the plugin that compiles
// experiments, and [Open] the driver of the target's faults, under its lock.
package run

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// Spec describes one run. [Target.Run] sets Driver, Target, Plugin and Restart.
type Spec = engine.Config

// NewName returns a name for a run: short enough to begin the names of
// Kubernetes objects, and with a letter first, as some of them must have.
func NewName() string { return "r" + strings.ToLower(rand.Text()[:7]) }

// Run makes one run on this target by the plugin. When ctx ends, or the lock is
// lost, it ends in Error and is cleaned up. An error means no run, or a journal
// that is not complete.
func (t *Target) Run(ctx context.Context, plugin *Plugin, spec Spec) (engine.Outcome, error) {
	err := t.Note(ctx, spec.Run)
	select {
	case <-plugin.Gone():
		// It died in the run before, which could end without it.
		if err == nil {
			_, err = plugin.restart(ctx)
		}
	default:
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	guarded, stop := t.Guard(ctx)
	defer stop()
	if description, err := plugin.Describe(guarded); err == nil {
		spec.Versions = map[string]string{"plugin " + description.Name: description.Version}
	}
	spec.Driver, spec.Target, spec.Plugin, spec.Restart = t.Driver, plugin.target, plugin.process, plugin.restart
	outcome := engine.Run(guarded, spec)
	if err := spec.Journal.Err(); err != nil {
		return outcome, fmt.Errorf("keep the journal: %w", err)
	}
	return outcome, nil
}

// Suite calls run for each plan in turn until ctx ends. After one that left
// something the faults are removed first: no run begins under another's fault.
func (t *Target) Suite(ctx context.Context, plans []*plan.Plan, run func(*plan.Plan) (engine.Outcome, error)) error {
	for i, compiled := range plans {
		if ctx.Err() != nil {
			return nil
		}
		outcome, err := run(compiled)
		if err != nil {
			return err
		}
		rest := plans[i+1:]
		if len(outcome.Left) == 0 || len(rest) == 0 || ctx.Err() != nil {
			continue
		}
		if _, err := t.RemoveFaults(ctx); err != nil {
			var names []string
			for _, one := range rest {
				if !slices.Contains(names, one.Experiment) {
					names = append(names, one.Experiment)
				}
			}
			return fmt.Errorf("not begun: %s, because a fault of %s is still on the target: %w", strings.Join(names, ", "), compiled.Experiment, err)
		}
	}
	return nil
}
