package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/utils/ptr"
	runtimelog "sigs.k8s.io/controller-runtime/pkg/log"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

func newController(s *session) *cobra.Command {
	var options controller.Parts
	command := &cobra.Command{
		Use:   "controller",
		Short: "Make the Runs of a namespace, inside the target's cluster",
		Long: `Make the Runs (runs.emco-chaos.io) of the controller's namespace, one at a time
on the target. What dead runs left is removed, at the start too.

SIGTERM ends the run under way and cleans up; give it the time. Runs that wait
go on waiting.

With OTEL_EXPORTER_OTLP_ENDPOINT each run is sent there as a trace.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.control(cmd.Context(), options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.Metrics, "metrics", ":8080", "the `ADDRESS` of the metrics for Prometheus; 0 is none")
	flags.StringVar(&options.Health, "health", ":8081", "the `ADDRESS` of /healthz and /readyz; 0 is none")
	flags.IntVar(&options.History, "history", 20, "how many finished Runs of an experiment, `N`, are kept")
	flags.StringVar(&options.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the `NAMESPACE` that the controller is in; else $POD_NAMESPACE")
	flags.StringVar(&options.Holder, "name", "", "the `NAME` by which others see who holds the target; else $POD_NAME, else that of the machine")
	return command
}

// control runs the controller until it is told to stop.
func (s *session) control(ctx context.Context, options controller.Parts) error {
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	if target.Driver.Kubernetes == nil {
		return fmt.Errorf("target %s: the controller puts faults on a cluster; write driver: {kubernetes: {}} into the target file, or use emco-chaos run", target.Name)
	}
	switch {
	case options.Namespace == "":
		return errors.New("no namespace: say which one the controller is in with --namespace or in POD_NAMESPACE")
	case options.History < 1:
		return errors.New("--history is a number from 1 on")
	}
	if options.Holder == "" {
		options.Holder = run.Holder()
	}
	cluster, err := run.RestConfig(target.Driver.Kubernetes)
	if err != nil {
		return failure(err)
	}
	options.Log = slog.New(slog.NewTextHandler(s.errs, nil))
	// What controller-runtime and client-go log goes nowhere else.
	logger := logr.FromSlogHandler(options.Log.Handler())
	runtimelog.SetLogger(logger)
	klog.SetSlogLogger(options.Log)
	ctx = klog.NewContext(ctx, logger)
	options.Traces = trace.FromEnvironment(ctx, version, func(text string) { options.Log.Warn(text) })
	defer options.Traces.Close()
	options.Runner = &runner{s: s, target: target, cluster: cluster, traces: options.Traces}
	options.Target, options.Targets = target.Name, run.Namespaces(target)
	options.Registry = runtimemetrics.Registry
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return failure(controller.Run(ctx, cluster, options))
}

// runner does the controller's work on the target, whose lock the controller
// holds.
type runner struct {
	s       *session
	target  *target.Target
	cluster *rest.Config
	outages run.Outages
	// traces sends the runs of crash maps; the controller sends all others.
	traces *trace.Sender
}

func (r *runner) start(ctx context.Context) (*run.Plugin, error) {
	return run.Start(ctx, r.s.plugin, r.target)
}

func (r *runner) open(ctx context.Context, tell func(string)) (*run.Target, error) {
	return run.OpenLocked(ctx, r.target, r.cluster, tell)
}

func (r *runner) Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error) {
	plugin, err := r.start(ctx)
	if err != nil {
		return nil, err
	}
	defer plugin.Close()
	plans, err := plugin.CompileAll(ctx, []sdk.Source{source})
	if err != nil {
		return nil, err
	}
	return plans[0], nil
}

// ready starts the plugin, and meanwhile opens the target and
// removes the faults that are on it: a run that ended may have left some.
func (r *runner) ready(ctx context.Context, tell func(string)) (plugin *run.Plugin, opened *run.Target, done func(), err error) {
	var starting sync.WaitGroup
	var unstarted error
	starting.Go(func() { plugin, unstarted = r.start(ctx) })
	opened, unopened := r.open(ctx, tell)
	if unopened == nil {
		err = opened.Prepare(ctx)
	}
	starting.Wait()
	done = func() {
		if unopened == nil {
			r.s.end(opened.Close)
		}
		if unstarted == nil {
			plugin.Close()
		}
	}
	if err = errors.Join(unstarted, unopened, err); err != nil {
		done()
	}
	return plugin, opened, done, err
}

func (r *runner) Run(ctx context.Context, spec run.Spec, tell func(string)) (engine.Outcome, error) {
	var looking sync.WaitGroup
	var behind []string
	looking.Go(func() { behind = doctor.Fronts(ctx, r.target, tell) })
	plugin, opened, done, err := r.ready(ctx, tell)
	looking.Wait()
	if err != nil {
		return engine.Outcome{}, err
	}
	defer done()
	if err := r.outages.Try(ctx, opened, plugin, behind, []*plan.Plan{spec.Plan}, spec.Abandon); err != nil {
		return engine.Outcome{}, err
	}
	spec.Version = version
	return opened.Run(ctx, plugin, spec)
}

// crashPoints are those of a Run's map.
func crashPoints(spec v1alpha1.MapSpec) crashmap.Spec {
	return crashmap.Spec{
		Calls: spec.Calls, From: spec.From, Points: spec.Points, Longest: int(spec.Longest), Share: spec.Share,
		Moments: int(spec.Moments), Seed: uint64(spec.Seed), Budget: ptr.Deref(spec.Budget, metav1.Duration{}).Duration,
	}
}

// Map returns what makes a crash map.
func (r *runner) Map(spec v1alpha1.MapSpec) (controller.Mapping, error) {
	wanted := crashPoints(spec)
	if _, err := wanted.Mapper(r.target, nil, version); err != nil {
		return nil, fmt.Errorf("spec.map: %w", err)
	}
	return func(ctx context.Context, with controller.MapParts) (verdict.Judgement, error) {
		mapper, err := wanted.Mapper(r.target, nil, version)
		if err != nil {
			return verdict.Judgement{}, err
		}
		plugin, opened, done, err := r.ready(ctx, func(string) {})
		if err != nil {
			return verdict.Judgement{}, err
		}
		defer done()
		mapper.Runner = &crashmap.OnTarget{
			Plugin: plugin, Target: opened, Start: r.start, Journal: with.Journal, Version: version, Abandon: with.Abandon, Traces: r.traces,
		}
		mapper.Keep = with.Keep
		mapper.Tell = func(text string) { with.Tell(text, mapStatus(mapper.Map)) }
		err = mapper.Make(ctx)
		spent := errors.Is(err, crashmap.ErrBudget)
		if err != nil && !spent {
			return verdict.Judgement{}, err
		}
		return mapper.Map.Verdict(spent), nil
	}, nil
}

// mapStatus is a map as the status of a Run has it.
func mapStatus(m *crashmap.Map) v1alpha1.MapStatus {
	points, covered := m.Points()
	status := v1alpha1.MapStatus{Runs: int32(m.Runs), Points: int32(points), Covered: int32(covered)}
	for _, found := range m.Findings() {
		if len(status.Findings) < 100 {
			status.Findings = append(status.Findings, v1alpha1.Finding{
				Point: found.Name, Where: found.Where, Consequence: string(found.Consequence),
				Words: document.OneLine(found.Words, 1000), WayOut: document.OneLine(found.WayOut, 1000),
			})
		}
	}
	return status
}

func (r *runner) Sweep(ctx context.Context, tell func(string)) (run.Swept, error) {
	opened, err := r.open(ctx, tell)
	if err != nil {
		return run.Swept{}, err
	}
	defer r.s.end(opened.Close)
	swept, err := opened.Clean(ctx, run.Settle, r.start)
	if swept.Remains != nil && !errors.Is(swept.Remains, run.ErrLeft) {
		tell(fmt.Sprintf("what dead runs made in the target is not all removed: %v", swept.Remains))
	}
	return swept, err
}
