// Package controller is emco-chaos inside a cluster: it runs experiments when it
// is asked to over HTTP, one at a time on its target, tells what happens where
// the Chaos dashboard shows it, and removes what dead runs left.
//
// It knows nothing of the system under test. The work is done by a [Runner]; the
// controller decides who may ask, when it is done, and who hears of it.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	enqueue "sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// syncLimit is how long the answer to "are you ready" waits for the caches.
const syncLimit = 500 * time.Millisecond

// Parts are what a controller is made of.
type Parts struct {
	// Cluster is the cluster that the target is in. Its answers are the API
	// server's, and not from a cache.
	Cluster client.Client
	// Leases reads the target's Lease, and may be a cache; nil is Cluster.
	Leases client.Reader
	Runner Runner
	// Namespace is the controller's own.
	Namespace string
	// Targets are the namespaces in which the target has pods.
	Targets []string
	// Holder names the controller to those who find the Lease held.
	Holder string
	// NewName names a run: a DNS label of at most 20 characters.
	NewName func() string
	// Journals is the folder of the runs' journals, and Keep how many of them,
	// and of the runs that ended, are kept.
	Journals string
	Keep     int
	// Queue is how many runs may wait.
	Queue int
	// LeaseWait is how long a run waits for the target.
	LeaseWait time.Duration
	// Audiences are those of which a token must be for one; none is the API
	// server's own.
	Audiences []string
	Registry  prometheus.Registerer
	Log       *slog.Logger

	metrics *metrics
}

// Controller runs experiments on request, and removes what dead runs left.
type Controller struct {
	queue   *queue
	sweeper sweeper
	rearmer *rearmer
	handler *handler
}

// New assembles a controller.
func New(parts Parts) (*Controller, error) {
	switch {
	case parts.Namespace == "":
		return nil, errors.New("the controller's own namespace is not known; give it with --namespace or in POD_NAMESPACE")
	case len(parts.Targets) == 0:
		return nil, errors.New("no service of the target has pods; give services labels and a namespace in the target file")
	}
	if parts.Leases == nil {
		parts.Leases = parts.Cluster
	}
	archive, err := openArchive(parts.Journals, parts.Keep)
	if err != nil {
		return nil, err
	}
	parts.metrics = newMetrics(parts.Registry)
	lock, shown, rearmer := newTargetLock(parts), &dashboard{parts}, &rearmer{parts}
	queue := &queue{Parts: parts, lock: lock, archive: archive, dashboard: shown, arrived: make(chan struct{}, 1)}
	return &Controller{queue: queue, sweeper: sweeper{lock}, rearmer: rearmer, handler: &handler{
		Parts: parts, limiter: newLimiter(), queue: queue, dashboard: shown, rearmer: rearmer,
		listening: make(chan struct{}, streams), compiling: make(chan struct{}, compilations),
	}}, nil
}

// Serving says what the controller listens on. An address "0" is none.
type Serving struct {
	// Listen is the API's address.
	Listen string
	// Certificate and Key are files in PEM; they are read again when they
	// change. Without them the API is plain HTTP.
	Certificate, Key string
	// Metrics is for Prometheus, and Health for the kubelet's probes.
	Metrics, Health string
	// Dashboard says that the Schedules of the controller's namespace are
	// watched, and armed again after each start.
	Dashboard bool
}

// Scheme knows the kinds that the controller works with.
func Scheme() (*runtime.Scheme, error) {
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), v1alpha1.AddToScheme(known)); err != nil {
		return nil, fmt.Errorf("register the kinds of Kubernetes and Chaos Mesh: %w", err)
	}
	return known, nil
}

// Run runs a controller on a cluster until ctx ends; the run that is then under
// way is ended and cleaned up first. Of the parts it makes Cluster and Leases.
func Run(ctx context.Context, cluster *rest.Config, serving Serving, parts Parts) error {
	known, err := Scheme()
	if err != nil {
		return err
	}
	if parts.Cluster, err = client.New(cluster, client.Options{Scheme: known}); err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	// The kubelet's patience is the limit.
	forever := time.Duration(-1)
	all, err := manager.New(cluster, manager.Options{
		Scheme:                  known,
		Logger:                  logr.FromSlogHandler(parts.Log.Handler()),
		Cache:                   cached(parts),
		Metrics:                 metricsserver.Options{BindAddress: serving.Metrics},
		HealthProbeBindAddress:  serving.Health,
		GracefulShutdownTimeout: &forever,
		// One process may call Run again.
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	parts.Leases = all.GetCache()
	c, err := New(parts)
	if err != nil {
		return err
	}
	if err := c.add(all, serving); err != nil {
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
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&coordinationv1.Lease{}: {Namespaces: targets, Field: fields.OneTermEqualSelector("metadata.name", lease.Name)},
		&v1alpha1.Schedule{}: {
			Namespaces: map[string]cache.Config{parts.Namespace: {}},
			Label:      labels.SelectorFromSet(labels.Set{RearmLabel: "true"}),
		},
	}}
}

// add has the manager start all that the controller does.
func (c *Controller) add(all manager.Manager, serving Serving) error {
	if err := errors.Join(all.Add(c.queue), c.serve(all, serving)); err != nil {
		return err
	}
	// All Leases are one thing to look at, and it is looked at once even when
	// there is none.
	one := []reconcile.Request{{}}
	one[0].Name = lease.Name
	err := builder.ControllerManagedBy(all).Named("sweep").
		Watches(&coordinationv1.Lease{}, enqueue.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request { return one })).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(one[0])
			return nil
		})).
		Complete(c.sweeper)
	if err == nil && serving.Dashboard {
		err = builder.ControllerManagedBy(all).Named("rearm").For(&v1alpha1.Schedule{}).Complete(c.rearmer)
	}
	return errors.Join(err, all.AddHealthzCheck("alive", healthz.Ping), all.AddReadyzCheck("ready", func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), syncLimit)
		defer cancel()
		if !all.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the leases and Schedules of the cluster are not known yet")
		}
		return c.ready()
	}))
}

// ready returns why no runs are taken in, or why the target cannot be used yet.
func (c *Controller) ready() error {
	if err := c.queue.room(); errors.Is(err, errStopping) {
		return err
	}
	if !c.sweeper.ready() {
		return errors.New("what dead runs may have left is being looked for")
	}
	return nil
}
