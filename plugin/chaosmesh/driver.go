// Package chaosmesh puts faults on the pods of a Kubernetes cluster by the
// objects of Chaos Mesh, and watches what becomes of them.
//
// The events of a fault come from watches alone: from the object what Chaos
// Mesh has done, from the pods what is down and what is back. Times are those
// at which this process saw it.
package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var _ engine.Driver = (*Driver)(nil)

// ErrClosed says that the driver was closed.
var ErrClosed = errors.New("the driver of the cluster is closed")

// Driver is an [engine.Driver] on a cluster with Chaos Mesh.
type Driver struct {
	options Options
	client  client.WithWatch
	config  *rest.Config
	watches cache.Cache
	// lifetime ends when stop is called, with the lock held. Until then the
	// watches run, and work waits for all that the driver started.
	lifetime context.Context
	stop     context.CancelFunc
	work     sync.WaitGroup

	unwatched map[string]error // why faults of an optional kind cannot be put on

	// mu guards all that follows, the faults with all they have, and the order
	// in which they are observed.
	mu       sync.Mutex
	faults   map[identity]*activeFault
	residual map[identity]residualFault
	// pods are what the watches have reported so far. The cache can be ahead.
	pods    map[types.UID]*corev1.Pod
	live    time.Time                // when the watch of pods was last known to be live
	observe func(engine.Disturbance) // what Watch was called with; nil is nobody
	changed chan struct{}            // closed and replaced whenever a watch reports something
}

// Open connects to a cluster and watches the namespaces of the options, until
// Close. What the driver needs and is not there is an error with a remedy.
func Open(ctx context.Context, config *rest.Config, options Options) (*Driver, error) {
	options.Namespaces, options.Limits = distinct(options.Namespaces), cmp.Or(options.Limits, DefaultLimits())
	if len(options.Namespaces) == 0 || options.Namespaces[0] == "" {
		return nil, errors.New("watch the cluster: no namespace is named, and faults are put on pods of the namespaces that are; the target gives namespace and labels of each service that has pods")
	}
	config = rest.CopyConfig(config)
	config.QPS = -1 // A fault must not wait for a limit of our own.
	direct, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	d := &Driver{
		options:   options,
		client:    direct,
		config:    config,
		unwatched: map[string]error{},
		faults:    map[identity]*activeFault{},
		residual:  map[identity]residualFault{},
		pods:      map[types.UID]*corev1.Pod{},
		changed:   make(chan struct{}),
	}
	d.lifetime, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	if err := d.watch(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the cluster: %w", err), d.Close())
	}
	return d, nil
}

// Close ends the watches, and removes no fault: each stays until its duration is over.
func (d *Driver) Close() error {
	d.mu.Lock()
	d.stop()
	d.mu.Unlock()
	d.work.Wait()
	return nil
}

// alive is an error once the driver is closed or ctx has ended.
func (d *Driver) alive(ctx context.Context) error {
	if d.lifetime.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

// unlocked gives up the lock for a request.
func (d *Driver) unlocked(do func() error) error {
	d.mu.Unlock()
	defer d.mu.Lock()
	return do()
}

// wait is [Driver.alive] when a watch has reported something or the time has come.
// It gives up the lock meanwhile.
func (d *Driver) wait(ctx context.Context, until time.Time) error {
	changed := d.changed
	return d.unlocked(func() error {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
		case <-d.lifetime.Done():
		}
		return d.alive(ctx)
	})
}

type identity struct {
	kind string
	types.NamespacedName
}

func (i identity) String() string { return i.kind + " " + i.NamespacedName.String() }

func identify(object fault.Object) identity {
	return identity{fault.NameOf(object), client.ObjectKeyFromObject(object)}
}

func (i identity) explain(err error, verb string) error {
	return explain(err, verb, resource(i.kind), i.Namespace)
}

func (i identity) empty() fault.Object {
	object := fault.New(i.kind)
	object.SetNamespace(i.Namespace)
	object.SetName(i.Name)
	return object
}

// Leftovers are the objects of emco-chaos that the API server has now; see
// [engine.Driver]. The error names each residual fault: those that this driver
// knows of, and those that Chaos Mesh keeps for pods.
func (d *Driver) Leftovers(ctx context.Context) ([]fault.Object, error) {
	var objects []fault.Object
	for _, namespace := range d.options.Namespaces {
		for _, kind := range fault.Kinds() {
			if d.unwatched[kind.Name] != nil {
				continue // without these rights none was put on
			}
			list := kind.NewList()
			if err := d.client.List(ctx, list, client.InNamespace(namespace), client.HasLabels{fault.RunLabel}); err != nil {
				return nil, explain(err, "list", resource(kind.Name), namespace)
			}
			objects = append(objects, fault.Objects(list)...)
		}
	}
	slices.SortFunc(objects, func(a, b fault.Object) int { return strings.Compare(identify(a).String(), identify(b).String()) })
	residuals, err := Residuals(ctx, d.client, d.options.Namespaces)
	for _, residual := range residuals {
		err = errors.Join(err, residual)
	}
	return objects, errors.Join(d.residualFaults(), err)
}

// Scheme makes a scheme with the kinds of Kubernetes and of Chaos Mesh.
func Scheme() *runtime.Scheme {
	known := runtime.NewScheme()
	// Registering fails for a kind that is registered twice only.
	utilruntime.Must(scheme.AddToScheme(known))
	utilruntime.Must(v1alpha1.AddToScheme(known))
	return known
}

// Namespace is where Chaos Mesh's own instructions install it, for remedies.
const Namespace = "chaos-mesh"

// Options say where a driver works.
type Options struct {
	// Namespaces are those that have the pods and the objects of faults.
	// Nothing outside them is read, watched or written.
	Namespaces []string
	Services   map[string]target.Service // those of the target whose pods are watched, by name
	// Tell, if not nil, gets what there is to say about the removal of an
	// object that this driver did not apply.
	Tell   func(text string)
	LookUp LookUp
	Limits Limits // unless set they are [DefaultLimits]
}

// Limits are how long the driver waits for others.
type Limits struct {
	Answer    time.Duration // while Chaos Mesh says nothing about an object
	Retry     time.Duration // while it tries again what it could not inject
	Select    time.Duration // while an object has selected nothing, as every one has for a moment
	Terminate time.Duration // for a pod that a fault would select and that is on its way out
	Notice    time.Duration // before a delete that hangs is reported, and what could not be injected is freed
	Free      time.Duration // before an object whose delete hangs is freed of its finalizer
	Steady    time.Duration // that pods have been ready that a run begins with
	Settle    time.Duration // for them to be: a pod of EMCO's own chart can take 40 s to be ready
}

// DefaultLimits are those of a real cluster.
func DefaultLimits() Limits {
	return Limits{
		Answer: 10 * time.Second, Retry: 3 * time.Second, Select: time.Second, Terminate: 10 * time.Second,
		Notice: 2 * time.Second, Free: 10 * time.Second, Steady: 3 * time.Second, Settle: 90 * time.Second,
	}
}
