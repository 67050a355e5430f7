package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	runtimelog "sigs.k8s.io/controller-runtime/pkg/log"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// controllerOptions are the flags of controller.
type controllerOptions struct {
	controller.Serving
	controller.Parts
	insecure bool
}

func newController(s *session) *cobra.Command {
	var options controllerOptions
	command := &cobra.Command{
		Use:   "controller",
		Short: "Run experiments on request, inside the target's cluster",
		Long: `Run experiments on request, inside the target's cluster: one at a time, for
whoever the cluster allows to create runs.emco-chaos.io in the controller's
namespace. What dead runs left is removed, at the start too.

SIGTERM ends the run under way and cleans up; give it the time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.control(cmd.Context(), options) },
	}
	flags := command.Flags()
	flags.StringVar(&options.Listen, "listen", ":8443", "the `ADDRESS` of the API")
	flags.StringVar(&options.Certificate, "tls-cert", "", "the `FILE` with the API's certificate, in PEM; it is read again when it changes")
	flags.StringVar(&options.Key, "tls-key", "", "the `FILE` with its key")
	flags.BoolVar(&options.insecure, "insecure-http", false, "serve the API without TLS: tokens can then be read on the way")
	flags.StringVar(&options.Metrics, "metrics", ":8080", "the `ADDRESS` of the metrics for Prometheus; 0 is none")
	flags.StringVar(&options.Health, "health", ":8081", "the `ADDRESS` of /healthz and /readyz; 0 is none")
	flags.BoolVar(&options.Dashboard, "dashboard", true, "watch the Schedules that experiments are started by in the Chaos dashboard, and arm them again after each start")
	flags.StringVar(&options.Journals, "journals", "", "the `DIRECTORY` for the runs' journals; else one of its own among the user's state")
	flags.IntVar(&options.Keep, "keep", 100, "how many runs, `N`, and their journals are kept")
	flags.IntVar(&options.Queue, "queue", 10, "how many runs, `N`, may wait")
	flags.DurationVar(&options.LeaseWait, "lease-wait", 10*time.Minute, "how long a run waits until another one's, from a command line, gives up the target")
	flags.StringSliceVar(&options.Audiences, "audience", nil, "the `NAME` of an audience that tokens must be for; else that of the API server")
	flags.StringVar(&options.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the `NAMESPACE` that the controller is in; else $POD_NAMESPACE")
	flags.StringVar(&options.Holder, "name", "", "the `NAME` by which others see who holds the target; else $POD_NAME, else that of the machine")
	return command
}

func (o *controllerOptions) check() error {
	switch {
	case o.Namespace == "":
		return errors.New("no namespace: say which one the controller is in with --namespace or in POD_NAMESPACE")
	case o.insecure && (o.Certificate != "" || o.Key != ""):
		return errors.New("--insecure-http stands beside --tls-cert or --tls-key: leave one out")
	case !o.insecure && (o.Certificate == "" || o.Key == ""):
		return errors.New("no certificate: give both --tls-cert and --tls-key, or allow plain HTTP with --insecure-http")
	case o.Keep < 1 || o.Queue < 1:
		return errors.New("--keep and --queue are numbers from 1 on")
	case o.LeaseWait <= 0:
		return errors.New("--lease-wait: write a duration such as 10m")
	}
	return nil
}

// control runs the controller until it is told to stop.
func (s *session) control(ctx context.Context, options controllerOptions) error {
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	if target.Driver.Kubernetes == nil {
		return fmt.Errorf("target %s: the controller puts faults on a cluster; write driver: {kubernetes: {}} into the target file, or use emco-chaos run", target.Name)
	}
	if err := options.check(); err != nil {
		return err
	}
	if options.Journals == "" {
		// Of its own: it removes old ones.
		if options.Journals, err = stateFolder("controller"); err != nil {
			return failure(err)
		}
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
	runtimelog.SetLogger(logr.FromSlogHandler(options.Log.Handler()))
	klog.SetSlogLogger(options.Log)
	options.Runner, options.Targets, options.NewName = &runner{s, target, cluster}, run.Namespaces(target), run.NewName
	options.Registry = runtimemetrics.Registry
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return failure(controller.Run(ctx, cluster, options.Serving, options.Parts))
}

// runner does the controller's work on the target, whose lock the controller
// holds.
type runner struct {
	s       *session
	target  *target.Target
	cluster *rest.Config
}

func (r *runner) start(ctx context.Context) (*run.Plugin, error) {
	return run.Start(ctx, r.s.plugin, r.target)
}

func (r *runner) open(ctx context.Context, tell func(string)) (*run.Target, error) {
	return run.OpenLocked(ctx, r.target, r.cluster, tell)
}

// Compile makes the plan of what is asked for.
func (r *runner) Compile(ctx context.Context, request api.Request) (*plan.Plan, error) {
	plugin, err := r.start(ctx)
	if err != nil {
		return nil, err
	}
	defer plugin.Close()
	description, err := plugin.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the plugin for its experiments: %w", err)
	}
	var known []string
	for _, experiment := range description.Experiments {
		known = append(known, experiment.Name)
	}
	if !slices.Contains(known, request.Experiment) {
		return nil, &controller.UnknownError{Experiment: request.Experiment, Known: known}
	}
	plans, err := plugin.CompileAll(ctx, []sdk.Source{{Experiment: request.Experiment, Parameters: request.Parameters}})
	if err != nil {
		return nil, err
	}
	return plans[0], nil
}

// Run makes a run.
func (r *runner) Run(ctx context.Context, spec run.Spec) (engine.Outcome, error) {
	plugin, err := r.start(ctx)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer plugin.Close()
	opened, err := r.open(ctx, linesTo(r.s.errs))
	if err != nil {
		return engine.Outcome{}, err
	}
	defer r.s.end(opened.Close)
	// Whoever had the target before may have given it back with a fault on it.
	if err := opened.Prepare(ctx); err != nil {
		return engine.Outcome{}, err
	}
	spec.Version = version
	return opened.Run(ctx, plugin, spec)
}

// Sweep removes what dead runs left.
func (r *runner) Sweep(ctx context.Context, tell func(string)) (run.Swept, error) {
	opened, err := r.open(ctx, tell)
	if err != nil {
		return run.Swept{}, err
	}
	defer r.s.end(opened.Close)
	swept, err := opened.Clean(ctx, r.start)
	if swept.Remains != nil && !errors.Is(swept.Remains, run.ErrLeft) {
		tell(fmt.Sprintf("what dead runs made in the target is not all removed: %v", swept.Remains))
	}
	return swept, err
}
