package run

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"slices"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// front is the experiment that shows what stands in front of a service.
//
//go:embed front.yaml
var front []byte

// Behind is [Target.Front] for each of the services that a fault of the plans stops.
// It tells of those in front of which something takes their requests, and returns
// those that were tried.
func (t *Target) Behind(ctx context.Context, plugin *Plugin, services []string, plans []*plan.Plan, abandon <-chan struct{}) (tried []string, err error) {
	for _, service := range services {
		stopped := slices.ContainsFunc(plans, func(p *plan.Plan) bool {
			return slices.ContainsFunc(p.Steps, func(s plan.Step) bool { return s.Fault != nil && s.Fault.StopsService(service) })
		})
		if !stopped || ctx.Err() != nil {
			continue
		}
		t.tell(service + ": it is taken down for a moment, to see whether what stands in front of it repeats requests")
		outcome, err := t.Front(ctx, plugin, service, abandon)
		if err != nil {
			return tried, fmt.Errorf("take %s down for a moment: %w", service, err)
		}
		tried = append(tried, service)
		if outcome.Verdict != verdict.Passed {
			t.tell(fmt.Sprintf("%s: no run will be conclusive in which it is stopped: %s", service, outcome.Reason))
		}
	}
	return tried, nil
}

// Front takes a service down for a moment, and returns what its clients see of
// that: Inconclusive when something in front of the service took a request that
// nobody could answer, as what repeats requests does. No report has this run.
func (t *Target) Front(ctx context.Context, plugin *Plugin, service string, abandon <-chan struct{}) (engine.Outcome, error) {
	plans, err := plugin.CompileAll(ctx, []sdk.Source{{File: "front.yaml", Text: front, Parameters: map[string]string{"service": service}}})
	if err != nil {
		return engine.Outcome{}, err
	}
	return t.Run(ctx, plugin, Spec{Run: NewName(), Plan: plans[0], Attempts: 1, Journal: journal.New(io.Discard), Abandon: abandon})
}
