package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	runtimelog "sigs.k8s.io/controller-runtime/pkg/log"
	runtimemetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
)

// controlling says how the controller is run.
type controlling struct {
	controller.Serving
	controller.Parts
	insecure bool
}

func newController(s *session) *cobra.Command {
	var how controlling
	command := &cobra.Command{
		Use:   "controller",
		Short: "Run experiments on request, inside the target's cluster",
		Long: `Run experiments on request, inside the target's cluster: one at a time, for
whoever the cluster allows to create runs.emco-chaos.io in the controller's
namespace. What dead runs left is removed, at the start too.

SIGTERM ends the run under way and cleans up; give it the time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.control(cmd.Context(), how) },
	}
	flags := command.Flags()
	flags.StringVar(&how.Listen, "listen", ":8443", "the `ADDRESS` of the API")
	flags.StringVar(&how.Certificate, "tls-cert", "", "the `FILE` with the API's certificate, in PEM; it is read again when it changes")
	flags.StringVar(&how.Key, "tls-key", "", "the `FILE` with its key")
	flags.BoolVar(&how.insecure, "insecure-http", false, "serve the API without TLS: tokens can then be read on the way")
	flags.StringVar(&how.Metrics, "metrics", ":8080", "the `ADDRESS` of the metrics for Prometheus; 0 is none")
	flags.StringVar(&how.Health, "health", ":8081", "the `ADDRESS` of /healthz and /readyz; 0 is none")
	flags.BoolVar(&how.Dashboard, "dashboard", true, "watch the Schedules that experiments are started by in the Chaos dashboard, and arm them again after each start")
	flags.StringVar(&how.Journals, "journals", "", "the `DIRECTORY` for the runs' journals; else one of its own among the user's state")
	flags.IntVar(&how.Keep, "keep", 100, "how many runs, `N`, and their journals are kept")
	flags.IntVar(&how.Queue, "queue", 10, "how many runs, `N`, may wait")
	flags.DurationVar(&how.LeaseWait, "lease-wait", 10*time.Minute, "how long a run waits until another one's, from a command line, gives up the target")
	flags.StringSliceVar(&how.Audiences, "audience", nil, "the `NAME` of an audience that tokens must be for; else that of the API server")
	flags.StringVar(&how.Namespace, "namespace", os.Getenv("POD_NAMESPACE"), "the `NAMESPACE` that the controller is in; else $POD_NAMESPACE")
	flags.StringVar(&how.Holder, "name", "", "the `NAME` by which others see who holds the target; else $POD_NAME, else that of the machine")
	return command
}

func (how *controlling) check() error {
	switch {
	case how.Namespace == "":
		return errors.New("no namespace: say which one the controller is in with --namespace or in POD_NAMESPACE")
	case how.insecure && (how.Certificate != "" || how.Key != ""):
		return errors.New("--insecure-http stands beside --tls-cert or --tls-key: leave one out")
	case !how.insecure && (how.Certificate == "" || how.Key == ""):
		return errors.New("no certificate: give both --tls-cert and --tls-key, or allow plain HTTP with --insecure-http")
	case how.Keep < 1 || how.Queue < 1:
		return errors.New("--keep and --queue are numbers from 1 on")
	case how.LeaseWait <= 0:
		return errors.New("--lease-wait: write a duration such as 10m")
	}
	return nil
}

// control runs the controller until it is told to stop.
func (s *session) control(ctx context.Context, how controlling) error {
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	if target.Driver.Kubernetes == nil {
		return fmt.Errorf("target %s: the controller puts faults on a cluster; write driver: {kubernetes: {}} into the target file, or use emco-chaos run", target.Name)
	}
	if err := how.check(); err != nil {
		return err
	}
	if how.Journals == "" {
		// Of its own: it removes old ones.
		if how.Journals, err = stateFolder("controller"); err != nil {
			return failure(err)
		}
	}
	if how.Holder == "" {
		how.Holder = holder()
	}
	cluster, err := restConfig(target.Driver.Kubernetes)
	if err != nil {
		return failure(err)
	}
	runner, err := newRunner(s, target, cluster)
	if err != nil {
		return failure(err)
	}
	how.Log = slog.New(slog.NewTextHandler(s.errs, nil))
	// What controller-runtime and client-go log goes nowhere else.
	runtimelog.SetLogger(logr.FromSlogHandler(how.Log.Handler()))
	klog.SetSlogLogger(how.Log)
	how.Runner, how.Targets, how.NewName = runner, namespaces(target), newRunName
	how.Registry = runtimemetrics.Registry
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	return failure(controller.Run(ctx, cluster, how.Serving, how.Parts))
}

// runner does the controller's work on the target. Faults are put on by Chaos
// Mesh, and the leases of the target are the controller's.
type runner struct {
	s       *session
	target  *target.Target
	data    []byte
	cluster *rest.Config
}

func newRunner(s *session, target *target.Target, cluster *rest.Config) (*runner, error) {
	data, err := wire(target)
	if err != nil {
		return nil, err
	}
	return &runner{s: s, target: target, data: data, cluster: cluster}, nil
}

// Compile makes the plan of what is asked for.
func (r *runner) Compile(ctx context.Context, request api.Request) (*plan.Plan, error) {
	compiled, err := r.compile(ctx, request)
	return compiled, worded(err)
}

// worded takes the exit code off an error: nothing exits here.
func worded(err error) error {
	if exit, ok := errors.AsType[*exitError](err); ok && exit.err != nil {
		return exit.err
	}
	return err
}

func (r *runner) compile(ctx context.Context, request api.Request) (*plan.Plan, error) {
	plugin, err := r.s.start(ctx, r.target)
	if err != nil {
		return nil, err
	}
	defer plugin.Close()
	description, err := plugin.Describe(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the plugin for its experiments: %w", err)
	}
	known := make([]string, len(description.Experiments))
	found := false
	for i, experiment := range description.Experiments {
		known[i] = experiment.Name
		found = found || experiment.Name == request.Experiment
	}
	if !found {
		return nil, &controller.UnknownError{Experiment: request.Experiment, Known: known}
	}
	plans, err := compile(ctx, plugin, []sdk.Source{{Experiment: request.Experiment, Target: r.data, Parameters: request.Parameters}})
	if err != nil {
		return nil, err
	}
	return plans[0], nil
}

// Run makes a run.
func (r *runner) Run(ctx context.Context, order controller.Order) (report.Run, error) {
	b, err := r.s.newBench(ctx, r.target)
	if err != nil {
		return report.Run{}, worded(err)
	}
	defer b.close()
	tell := linesTo(r.s.errs)
	if b.driver, err = r.drive(ctx, tell); err != nil {
		return report.Run{}, err
	}
	// Whoever had the target before may have given it back with a fault on it.
	if err := b.removeFaults(ctx, tell); err != nil {
		return report.Run{}, err
	}
	return b.make(ctx, making{run: order.Run, plan: order.Plan, journal: order.Journal, follow: order.Follow})
}

// drive starts the driver of the cluster.
func (r *runner) drive(ctx context.Context, tell func(string)) (driver, error) {
	faults, err := chaosmesh.Open(ctx, r.cluster, chaosmesh.Options{Namespaces: namespaces(r.target), Tell: tell})
	if err != nil {
		return driver{}, err
	}
	return driver{Driver: faults, close: faults.Close}, nil
}

// Sweep removes what dead runs left.
func (r *runner) Sweep(ctx context.Context, tell func(string)) (controller.Swept, error) {
	var done controller.Swept
	faults, err := r.drive(ctx, tell)
	if err != nil {
		return done, err
	}
	defer faults.end(r.s.errs)
	if done.Faults, err = sweepFaults(ctx, faults, tell); err != nil {
		return done, err
	}
	// The system may be out of reach for long, and no run should wait for it.
	plugin, err := r.s.start(ctx, r.target)
	if err == nil {
		defer plugin.Close()
		done.Resources, err = sweepResources(ctx, plugin, r.data, tell)
	}
	if err != nil {
		done.Remains = true
		// An error without words has been told already.
		if exit, ok := errors.AsType[*exitError](err); !ok || exit.err != nil {
			tell(fmt.Sprintf("what dead runs made in the target is not all removed: %v", worded(err)))
		}
	}
	return done, nil
}
