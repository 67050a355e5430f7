package run

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// front is the experiment that shows what stands in front of a service.
//
//go:embed front.yaml
var front []byte

// hold is the experiment that shows whether a hold stops anything.
//
//go:embed hold.yaml
var hold []byte

// ErrUntold is the error of what cannot be tried on a target, as with a service that
// the plugin has no probe for.
var ErrUntold = errors.New("it cannot be told on this target")

// Outages remembers which services were taken down for a moment: once is enough.
type Outages struct{ tried []string }

// Try is [Target.Front] for each of the services that a fault of the plans stops. It
// tells of those in front of which something takes their requests. An error means
// that no run may begin.
func (o *Outages) Try(ctx context.Context, on *Target, plugin *Plugin, services []string, plans []*plan.Plan, abandon <-chan struct{}) error {
	for _, service := range services {
		stopped := slices.ContainsFunc(plans, func(p *plan.Plan) bool {
			return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Fault != nil && s.Fault.StopsService(service) })
		})
		if !stopped || slices.Contains(o.tried, service) || ctx.Err() != nil {
			continue
		}
		on.tell(service + ": it is taken down for a moment, to see whether what stands in front of it repeats requests")
		outcome, err := on.Front(ctx, plugin, service, abandon)
		switch {
		case errors.Is(err, ErrUntold):
			on.tell(fmt.Sprintf("%s: it is not: %v", service, err))
		case err != nil:
			return fmt.Errorf("take %s down for a moment: %w", service, err)
		case outcome.Verdict == verdict.Inconclusive:
			on.tell(fmt.Sprintf("%s: no run will be conclusive in which it is stopped: %s", service, outcome.Reason))
		case outcome.Verdict != verdict.Passed:
			on.tell(fmt.Sprintf("%s: nothing is known of what stands in front of it: %s: %s", service, outcome.Verdict, outcome.Reason))
		}
		if len(outcome.Left) > 0 {
			// No run begins under another's fault.
			if _, err := on.RemoveFaults(ctx); err != nil {
				return fmt.Errorf("take %s down for a moment: %w", service, err)
			}
		}
		o.tried = append(o.tried, service)
	}
	return nil
}

// Front takes a service down for a moment, and returns what its clients see of
// that: Inconclusive when something in front of the service took a request that
// nobody could answer, as what repeats requests does. No report has this run. The
// error is [ErrUntold] when nothing was done.
func (t *Target) Front(ctx context.Context, plugin *Plugin, service string, abandon <-chan struct{}) (engine.Outcome, error) {
	return t.try(ctx, plugin, sdk.Source{File: "front.yaml", Text: front, Parameters: map[string]string{"service": service}}, abandon)
}

// Hold cuts the orchestrator off from etcd, and sends it a call: Inconclusive when
// it answers all the same, as on a network on which what is injected drops nothing.
// No report has this run. The error is [ErrUntold] when nothing was done.
func (t *Target) Hold(ctx context.Context, plugin *Plugin, abandon <-chan struct{}) (engine.Outcome, error) {
	return t.try(ctx, plugin, sdk.Source{File: "hold.yaml", Text: hold}, abandon)
}

func (t *Target) try(ctx context.Context, plugin *Plugin, source sdk.Source, abandon <-chan struct{}) (engine.Outcome, error) {
	plans, err := plugin.CompileAll(ctx, []sdk.Source{source})
	if problems, is := errors.AsType[document.Problems](err); is {
		return engine.Outcome{}, fmt.Errorf("%w: %w", ErrUntold, problems)
	}
	if err != nil {
		return engine.Outcome{}, err
	}
	return t.Run(ctx, plugin, Spec{Run: NewName(), Plan: plans[0], Attempts: 1, Journal: journal.New(io.Discard), Abandon: abandon})
}
