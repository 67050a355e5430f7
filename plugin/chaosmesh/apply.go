package chaosmesh

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// minGracePeriod is the shortest grace period, in seconds, after which
// Kubernetes still reports when a killed pod's processes have ended.
const minGracePeriod = 1

// createLimit is how long the API server may take to create an object.
const createLimit = 30 * time.Second

var errAlreadyThere = errors.New("is already there; remove it first, or use another name")

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
		chaos.Spec.GracePeriod = max(chaos.Spec.GracePeriod, minGracePeriod)
	}
	f := &activeFault{driver: d, identity: identify(object), object: object, observe: observe}
	if err := d.prepare(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", f.identity, err)
	}
	// A create that is cut off on its way may be done all the same, and
	// later than it can be looked for: it is given the time to end.
	creating, cancel := context.WithTimeout(context.WithoutCancel(ctx), createLimit)
	defer cancel()
	start := time.Now()
	err := d.client.Create(creating, object)
	now := time.Now()
	d.mu.Lock()
	if err != nil {
		f.forget()
	} else {
		f.start(object, now, now.Sub(start))
	}
	d.mu.Unlock()
	switch {
	case apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w", f.identity, errAlreadyThere)
	case err == nil && ctx.Err() != nil:
		return errors.Join(ctx.Err(), d.takeBack(object))
	case err != nil && uncertain(err):
		return errors.Join(f.explain(err, "create"), d.takeBack(object))
	}
	return f.explain(err, "create")
}

// takeBack removes an object that is not to be there.
func (d *Driver) takeBack(object fault.Object) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.options.Limits.Free+createLimit)
	defer cancel()
	return d.Remove(ctx, object)
}

// prepare checks what the object selects, and begins to follow it.
func (d *Driver) prepare(ctx context.Context, f *activeFault) error {
	if f.Name == "" {
		return &fault.FieldError{Field: "metadata.name", Message: "is missing", Remedy: "name the object"}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ends, err := d.awaitPods(ctx, f.object, d.options.Limits.Terminate, false)
	if err != nil {
		return err
	}
	if d.faults[f.identity] != nil {
		return errAlreadyThere
	}
	if chaos, ok := f.object.(*v1alpha1.PodChaos); ok {
		f.outage = newOutage(chaos, ends[0], d.podsOf(ends[0]))
		f.outage.services = d.servicesOf(f.outage)
	}
	d.faults[f.identity] = f
	return nil
}
