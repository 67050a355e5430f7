// Package chaosmesh puts faults on the pods of a Kubernetes cluster by the
// objects of Chaos Mesh, and watches what becomes of them.
//
// What it says of a fault comes from watches alone: from the object what Chaos
// Mesh has done, from the pods what is down and what is back. Times are those
// at which this process learnt of it.
package chaosmesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var _ engine.Driver = (*Driver)(nil)

// ErrClosed says that the driver was closed.
var ErrClosed = errors.New("the driver of the cluster is closed")

// Driver is an [engine.Driver] on a cluster with Chaos Mesh.
type Driver struct {
	options Options
	client  client.WithWatch
	// stop ends the watches, and work waits for all that the driver started.
	stop context.CancelFunc
	work sync.WaitGroup
	// closed is closed when the driver is.
	closed chan struct{}

	// mu guards all that follows, the applied faults with all they have, and
	// the order in which they are observed.
	mu      sync.Mutex
	closing bool
	faults  map[identity]*applied
	// leaving are the objects that somebody waits to see gone.
	leaving map[identity]*departure
	// remaining are the faults that may still be on a pod although their
	// objects are gone, by that pod.
	remaining map[types.UID]remainder
	// pods and slices are what the watches have told so far. They are not
	// read from the cache, which can be ahead of what was told.
	pods   map[types.UID]*corev1.Pod
	slices map[types.UID]*discoveryv1.EndpointSlice
	// changed is closed, and another one made, whenever a watch tells
	// something.
	changed chan struct{}
}

// Open connects to a cluster and watches the namespaces of the options. Close
// it at the end. It is an error that says what to do if something is missing
// that the driver needs.
func Open(ctx context.Context, config *rest.Config, options Options) (*Driver, error) {
	options, err := options.complete()
	if err != nil {
		return nil, fmt.Errorf("watch the cluster: %w", err)
	}
	config = rest.CopyConfig(config)
	// What a fault needs is few requests that must not wait for each other.
	config.QPS, config.Burst = 200, 400
	direct, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, fmt.Errorf("connect to the cluster: %w", err)
	}
	d := &Driver{
		options:   options,
		client:    direct,
		closed:    make(chan struct{}),
		faults:    map[identity]*applied{},
		leaving:   map[identity]*departure{},
		remaining: map[types.UID]remainder{},
		pods:      map[types.UID]*corev1.Pod{},
		slices:    map[types.UID]*discoveryv1.EndpointSlice{},
		changed:   make(chan struct{}),
	}
	if err := d.watch(ctx, config); err != nil {
		return nil, fmt.Errorf("watch the cluster: %w", err)
	}
	return d, nil
}

// Close ends the watches. It removes no fault: what is there stays until its
// duration is over.
func (d *Driver) Close() error {
	d.mu.Lock()
	if !d.closing {
		d.closing = true
		close(d.closed)
		for _, a := range d.faults {
			a.abandon()
		}
	}
	d.mu.Unlock()
	d.stop()
	d.work.Wait()
	return nil
}

// identity is what tells one object from another.
type identity struct{ kind, namespace, name string }

func (i identity) String() string { return fmt.Sprintf("%s %s/%s", i.kind, i.namespace, i.name) }

func identify(object fault.Object) identity {
	return identity{kind: fault.NameOf(object), namespace: object.GetNamespace(), name: object.GetName()}
}

// empty is an object of the kind and name, without anything else.
func (i identity) empty() fault.Object {
	object := fault.New(i.kind)
	object.SetNamespace(i.namespace)
	object.SetName(i.name)
	return object
}

// shortest is the shortest grace period after which Kubernetes still tells
// when a killed pod's processes have ended.
const shortest = 1

// Apply creates the object; see [engine.Driver].
//
// A pod-kill without a grace period is given one of a second. Without one,
// Kubernetes forgets the pod at once and has its processes ended later, a
// process that ignores SIGTERM not before the pod's own grace period is over;
// and nobody can see when. With one it kills them within two seconds, and
// keeps the pod until they are gone.
func (d *Driver) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	object = object.DeepCopyObject().(fault.Object)
	if err := fault.Check(object); err != nil {
		return err
	}
	if chaos, ok := object.(*v1alpha1.PodChaos); ok && chaos.Spec.Action == v1alpha1.PodKillAction {
		chaos.Spec.GracePeriod = max(chaos.Spec.GracePeriod, shortest)
	}
	a, err := d.prepare(ctx, object, observe)
	if err != nil {
		return err
	}
	// A create that is cut off on its way may be done all the same, and
	// later than it can be looked for: it is given the time to end.
	creating, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.options.Limits.Create)
	defer cancel()
	start := time.Now()
	err = d.client.Create(creating, object)
	now := time.Now()
	if err != nil {
		return d.notCreated(a, err)
	}
	d.mu.Lock()
	a.accepted(object, now, now.Sub(start))
	d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return errors.Join(err, d.takeBack(a))
	}
	return nil
}

// prepare checks what the object selects and begins to watch it.
func (d *Driver) prepare(ctx context.Context, object fault.Object, observe func(engine.Moment)) (*applied, error) {
	id := identify(object)
	if id.name == "" {
		return nil, fmt.Errorf("%s: %w", id.kind, &fault.FieldError{Field: "metadata.name", Message: "is missing", Remedy: "name the object"})
	}
	ends, err := endsOf(object)
	if err == nil {
		err = d.inside(id, ends)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	timer := time.NewTimer(d.options.Limits.Leave)
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	var leaving *corev1.Pod
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if d.closing {
			return nil, ErrClosed
		}
		if _, there := d.faults[id]; there {
			return nil, fmt.Errorf("%s is already there; remove it first, or use another name", id)
		}
		if leaving = d.leavingPod(ends); leaving == nil {
			break
		}
		changed := d.changed
		d.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-d.closed:
		case <-timer.C:
			err = &fault.FieldError{
				Field: "spec.selector",
				Message: fmt.Sprintf("selects pod %s/%s, which has been on its way out since %s: Chaos Mesh would try to hit it too",
					leaving.Namespace, leaving.Name, leaving.DeletionTimestamp.UTC().Format(time.TimeOnly)),
				Remedy: fmt.Sprintf("see what holds it: kubectl --namespace %s describe pod %s", leaving.Namespace, leaving.Name),
			}
		}
		d.mu.Lock()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
	}
	a := &applied{driver: d, identity: id, object: object, observe: observe}
	for _, end := range ends {
		there := d.podsOf(end)
		if err := end.check(there); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
	}
	if chaos, ok := object.(*v1alpha1.PodChaos); ok {
		a.outage = newOutage(chaos, ends[0], d.podsOf(ends[0]))
		a.routes = newRoutes(a.outage, d.slices)
	}
	d.faults[id] = a
	return a, nil
}

// inside says whether all that the fault is about is watched.
func (d *Driver) inside(id identity, ends []end) error {
	needed := []string{id.namespace}
	for _, end := range ends {
		needed = append(needed, end.namespaces()...)
	}
	for _, namespace := range needed {
		if !slices.Contains(d.options.Namespaces, namespace) {
			return &fault.FieldError{
				Field:   "metadata.namespace or spec.selector",
				Message: fmt.Sprintf("names namespace %q; the target's services are in %s", namespace, strings.Join(d.options.Namespaces, ", ")),
				Remedy:  "name one of those, or correct the target",
			}
		}
	}
	return nil
}

// podsOf are the pods of the end's namespaces.
func (d *Driver) podsOf(end end) []corev1.Pod {
	var list []corev1.Pod
	for _, pod := range d.pods {
		if slices.Contains(end.namespaces(), pod.Namespace) {
			list = append(list, *pod)
		}
	}
	byName(list)
	return list
}

// leavingPod is a pod that is selected and on its way out, if there is one.
// Chaos Mesh selects it as any other, and fails to inject for ever when it has
// gone.
func (d *Driver) leavingPod(ends []end) *corev1.Pod {
	for _, pod := range d.pods {
		if pod.DeletionTimestamp != nil && slices.ContainsFunc(ends, func(e end) bool { return e.matches(pod) }) {
			return pod
		}
	}
	return nil
}

// notCreated ends an Apply whose create failed.
func (d *Driver) notCreated(a *applied, err error) error {
	d.mu.Lock()
	a.abandon()
	delete(d.faults, a.identity)
	d.mu.Unlock()
	explained := explain(err, "create", resource(a.kind), a.namespace)
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s is already there; remove it first, or use another name", a)
	case uncertain(err):
		return errors.Join(explained, d.takeBack(a))
	}
	return explained
}

// takeBack removes what an Apply made that is not to have been.
func (d *Driver) takeBack(a *applied) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.options.Limits.Free+d.options.Limits.Create)
	defer cancel()
	if err := d.Remove(ctx, a.object); err != nil {
		return fmt.Errorf("take it back: %w", err)
	}
	return nil
}

// Leftovers are the objects of emco-chaos in the driver's namespaces, of
// whatever run, as the API server has them now; see [engine.Driver]. With them
// comes an error as long as a pod is there on which a fault may be whose object
// this driver removed.
func (d *Driver) Leftovers(ctx context.Context) ([]fault.Object, error) {
	var objects []fault.Object
	for _, namespace := range d.options.Namespaces {
		for _, kind := range fault.Kinds() {
			list := kind.NewList()
			if err := d.client.List(ctx, list, client.InNamespace(namespace), client.HasLabels{fault.RunLabel}); err != nil {
				return nil, explain(err, "list", resource(kind.Name), namespace)
			}
			objects = append(objects, fault.Objects(list)...)
		}
	}
	slices.SortFunc(objects, func(a, b fault.Object) int {
		return strings.Compare(identify(a).String(), identify(b).String())
	})
	for _, object := range objects {
		object.GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(fault.GroupVersion, identify(object).kind))
	}
	return objects, d.remainders()
}

// emit observes an event, at the time given or at the latest time before it
// that was observed, whichever is later.
func (a *applied) emit(event string, at time.Time, detail string) time.Time {
	if event != "" && event != plan.Created && at.Before(a.last) {
		at = a.last
	}
	if event != "" {
		a.last = at
	}
	if !a.silent {
		a.observe(engine.Moment{Event: event, At: at, Detail: detail})
	}
	return at
}
