// Package controller is emco-chaos inside a cluster: it reconciles Runs, one at
// a time on its target, tells what happens where kubectl and the Chaos dashboard
// show it, and removes what dead runs left.
//
// It knows nothing of the system under test. The work is done by a [Runner]; the
// controller decides when it is done, and who hears of it.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	enqueue "sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	driver "github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
)

// syncLimit is how long the answer to "are you ready" waits for the caches.
const syncLimit = 500 * time.Millisecond

// Runner does the work on the target. It need not keep others off the target:
// it is asked only while the controller holds the target's Lease.
type Runner interface {
	// Compile makes the plan of an experiment. An error says what is wrong with
	// it.
	Compile(ctx context.Context, source sdk.Source) (*plan.Plan, error)
	// Run makes a run. When ctx ends the run is ended and cleaned up before
	// Run returns. It tells what was found before the run began. An error says
	// that there was no run to speak of.
	Run(ctx context.Context, spec runs.Spec, tell func(string)) (engine.Outcome, error)
	// Map returns what makes a crash map. An error says what is wrong with its spec.
	Map(spec v1alpha1.MapSpec) (Mapping, error)
	// Sweep removes what dead runs left: faults first, then what they made in
	// the target. It tells each thing that it removes and that it cannot. An
	// error says that faults may still be there.
	Sweep(ctx context.Context, tell func(string)) (runs.Swept, error)
}

// Parts are what a controller is made of.
type Parts struct {
	// Cluster is the cluster that the target is in. Its answers are the API
	// server's, and not from a cache.
	Cluster client.Client
	// Events writes Events.
	Events record.EventRecorder
	Runner Runner
	// Namespace is the controller's own, whose Runs it makes.
	Namespace string
	// Target is the target's name, and Targets are the namespaces in which it has
	// pods.
	Target  string
	Targets []string
	// Holder names the controller to those who find the Lease held.
	Holder string
	// History is how many finished Runs of an experiment are kept.
	History  int
	Registry prometheus.Registerer
	// Traces sends runs; nil sends none.
	Traces *trace.Sender
	Log    *slog.Logger
	// Metrics and Health are the addresses for Prometheus, and for the kubelet's
	// probes; "0" is none.
	Metrics, Health string

	metrics *metrics
}

// Controller makes Runs, and removes what dead runs left.
type Controller struct {
	queue   *queue
	rearmer *rearmer
}

// New assembles a controller.
func New(parts Parts) (*Controller, error) {
	if len(parts.Targets) == 0 {
		return nil, errors.New("no service of the target has pods; give services labels and a namespace in the target file")
	}
	parts.metrics = newMetrics(parts.Registry)
	// The process before this one may have died without a trace of its Lease.
	lock := &targetLock{Parts: parts}
	lock.runDied()
	return &Controller{
		queue: &queue{
			Parts: parts, lock: lock, turn: make(chan turn, 1), again: make(chan event.GenericEvent, 1),
		},
		rearmer: &rearmer{Parts: parts, told: map[string]types.UID{}},
	}, nil
}

// Scheme makes a scheme with the kinds that the controller works with.
func Scheme() *runtime.Scheme {
	known := driver.Scheme()
	utilruntime.Must(v1alpha1.AddToScheme(known))
	return known
}

// Run runs a controller on a cluster until ctx ends; the run that is then under
// way is ended and cleaned up first. Of several in a namespace one works. Of the
// parts it makes Cluster and Events.
func Run(ctx context.Context, cluster *rest.Config, parts Parts) error {
	known := Scheme()
	direct, err := client.New(cluster, client.Options{Scheme: known})
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	events, err := typedcorev1.NewForConfig(cluster)
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	broadcaster := newBroadcaster()
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: events.Events("")})
	parts.Cluster, parts.Events = direct, broadcaster.NewRecorder(known, EventSource)
	all, err := manager.New(cluster, manager.Options{
		Scheme:                  known,
		Logger:                  logr.FromSlogHandler(parts.Log.Handler()),
		Cache:                   cached(parts),
		Metrics:                 metricsserver.Options{BindAddress: parts.Metrics, HandlerOpts: []func(*promhttp.HandlerOpts){withExemplars}},
		HealthProbeBindAddress:  parts.Health,
		GracefulShutdownTimeout: new(time.Duration(-1)), // The kubelet's patience is the limit.
		LeaderElection:          true, LeaderElectionID: lease.Leader, LeaderElectionNamespace: parts.Namespace,
		LeaderElectionReleaseOnCancel: true,
		// A leader that cannot renew loses the target's Lease too.
		LeaseDuration: new(lease.Duration), RenewDeadline: new(lease.Duration - time.Second),
		// One process may call Run again.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	c, err := New(parts)
	if err != nil {
		return err
	}
	if err := c.add(all); err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	if err := all.Start(ctx); err != nil {
		return fmt.Errorf("run the controller: %w", err)
	}
	return nil
}

// cached are the objects that are watched: those that the rights are for, and
// no others.
func cached(parts Parts) cache.Options {
	targets := map[string]cache.Config{}
	for _, namespace := range parts.Targets {
		targets[namespace] = cache.Config{}
	}
	return cache.Options{
		DefaultNamespaces: map[string]cache.Config{parts.Namespace: {}},
		ByObject: map[client.Object]cache.ByObject{
			&coordinationv1.Lease{}: {Namespaces: targets, Field: fields.OneTermEqualSelector("metadata.name", lease.Name)},
		},
	}
}

// add has the manager start all that the controller does.
func (c *Controller) add(all manager.Manager) error {
	// All Leases are one thing to look at, and so are all Runs.
	one := []reconcile.Request{{}}
	one[0].Name = "all"
	toOne := enqueue.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return one })
	return errors.Join(
		all.Add(c.queue),
		builder.ControllerManagedBy(all).Named("runs").
			Watches(&v1alpha1.Run{}, toOne, builder.WithPredicates(predicate.Funcs{UpdateFunc: concernsQueue})).
			WatchesRawSource(source.Channel(c.queue.again, toOne)).
			Complete(c.queue),
		// Looked at once even when there is no Lease.
		builder.ControllerManagedBy(all).Named("sweep").
			Watches(&coordinationv1.Lease{}, toOne).
			WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
				queue.Add(one[0])
				return nil
			})).
			Complete(c.queue.lock),
		builder.ControllerManagedBy(all).Named("rearm").For(&chaosmesh.Schedule{}).Complete(c.rearmer),
		all.AddHealthzCheck("alive", healthz.Ping),
		all.AddReadyzCheck("ready", func(request *http.Request) error {
			ctx, cancel := context.WithTimeout(request.Context(), syncLimit)
			defer cancel()
			if !all.GetCache().WaitForCacheSync(ctx) {
				return errors.New("the Runs, Leases and Schedules of the cluster are not known yet")
			}
			return nil
		}),
	)
}

// concernsQueue reports whether a change of a Run is more than progress of the
// one that is under way.
func concernsQueue(change event.UpdateEvent) bool {
	before, after := change.ObjectOld.(*v1alpha1.Run), change.ObjectNew.(*v1alpha1.Run)
	return before.Status.Phase != after.Status.Phase || before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero()
}
