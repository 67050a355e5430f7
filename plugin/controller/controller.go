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
	"net"
	"net/http"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/go-logr/logr"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"
	enqueue "sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// readyLimit is how long the answer to "are you ready" may take.
const readyLimit = 500 * time.Millisecond

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
func Run(ctx context.Context, cluster *rest.Config, serving Serving, parts Parts) (err error) {
	known, err := Scheme()
	if err != nil {
		return err
	}
	if parts.Cluster, err = client.New(cluster, client.Options{Scheme: known}); err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	forever := time.Duration(-1)
	all, err := manager.New(cluster, manager.Options{
		Scheme:                 known,
		Logger:                 logr.FromSlogHandler(parts.Log.Handler()),
		Cache:                  cached(parts),
		Metrics:                metricsserver.Options{BindAddress: serving.Metrics},
		HealthProbeBindAddress: serving.Health,
		// The kubelet's patience is the limit.
		GracefulShutdownTimeout: &forever,
	})
	if err != nil {
		return fmt.Errorf("make the controller: %w", err)
	}
	parts.Leases = all.GetCache()
	c, err := New(parts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.add(all, serving); err != nil {
		return err
	}
	if err := all.Start(ctx); err != nil {
		return fmt.Errorf("run the controller: %w", err)
	}
	return nil
}

// add has the manager start all that the controller does.
func (c *Controller) add(all manager.Manager, serving Serving) error {
	web, err := c.listen(all, serving)
	if err != nil {
		return err
	}
	if err := errors.Join(all.Add(c.queue), all.Add(web)); err != nil {
		return errors.Join(fmt.Errorf("make the controller: %w", err), web.listener.Close())
	}
	// All leases are one thing to look at, and it is looked at once even when
	// there is none.
	look := reconcile.Request{}
	look.Name = lease.Name
	once := source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(look)
		return nil
	})
	err = builder.ControllerManagedBy(all).Named("sweep").
		Watches(&coordinationv1.Lease{}, enqueue.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
			return []reconcile.Request{look}
		})).
		WatchesRawSource(once).
		Complete(c.sweeper)
	if err == nil && serving.Dashboard {
		err = builder.ControllerManagedBy(all).Named("rearm").For(&v1alpha1.Schedule{}).Complete(c.armer)
	}
	if err == nil {
		err = errors.Join(all.AddHealthzCheck("alive", healthz.Ping), all.AddReadyzCheck("ready", c.ready(all)))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the controller: %w", err), web.listener.Close())
	}
	return nil
}

// listen opens the API's address.
func (c *Controller) listen(all manager.Manager, serving Serving) (*server, error) {
	listener, err := net.Listen("tcp", serving.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	web := &server{listener: listener, handler: c.answers.routes(), idle: c.queue.done, log: c.queue.log}
	if serving.Certificate == "" {
		return web, nil
	}
	certificate, err := certwatcher.New(serving.Certificate, serving.Key)
	if err == nil {
		err = all.Add(certificate)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the API's certificate: %w", err), listener.Close())
	}
	web.certificate = certificate.GetCertificate
	return web, nil
}

// ready says whether runs are taken in.
func (c *Controller) ready(all manager.Manager) healthz.Checker {
	return func(request *http.Request) error {
		ctx, cancel := context.WithTimeout(request.Context(), readyLimit)
		defer cancel()
		if !all.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the leases and Schedules of the cluster are not known yet")
		}
		return c.open()
	}
}

// open says why no runs are taken in, or that the target cannot be used yet.
func (c *Controller) open() error {
	if err := c.queue.room(); errors.Is(err, errStopping) {
		return err
	}
	if !c.queue.keeper.open() {
		return errors.New("what dead runs may have left is being looked for")
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
