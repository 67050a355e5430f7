package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

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
		chaos.Spec.GracePeriod = max(chaos.Spec.GracePeriod, 1)
	}
	f := &activeFault{driver: d, identity: identify(object), object: object, observe: observe}
	told, err := d.options.LookUp.resolve(ctx, object)
	if err == nil {
		err = d.prepare(ctx, f)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.identity, err)
	}
	// A create that is cut off on its way may be done all the same, and
	// later than it can be looked for: it is given the time to end.
	creating, cancel := context.WithTimeout(context.WithoutCancel(ctx), createLimit)
	defer cancel()
	start := time.Now()
	err = d.client.Create(creating, object)
	now := time.Now()
	d.mu.Lock()
	if err != nil {
		f.forget()
	} else {
		f.start(object, now, now.Sub(start), told)
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

func (d *Driver) takeBack(object fault.Object) error {
	ctx, cancel := context.WithTimeout(context.Background(), d.options.Limits.Free+createLimit)
	defer cancel()
	return d.Remove(ctx, object)
}

// prepare checks what the object selects, and begins to follow it.
func (d *Driver) prepare(ctx context.Context, f *activeFault) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	ends, err := d.awaitPods(ctx, f.object, d.options.Limits.Terminate, false)
	if err != nil {
		return err
	}
	if d.faults[f.identity] != nil {
		return errAlreadyThere
	}
	f.announced = d.announce(f.object, ends)
	if chaos, ok := f.object.(*v1alpha1.PodChaos); ok {
		f.outage = d.newOutage(chaos, ends[0])
	}
	d.faults[f.identity] = f
	return nil
}

var _ engine.Checker = (*Driver)(nil)

// Check reports whether the object would be refused because of the pods that are
// there. It waits until those are steady: none on its way out, all ready, and
// for a few seconds already. The kubelet is slow to end a pod that it has just
// started, and the service in its place can then be ready before the old one
// was seen to be gone.
func (d *Driver) Check(ctx context.Context, object fault.Object) error {
	_, err := d.options.LookUp.resolve(ctx, object.DeepCopyObject().(fault.Object))
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		_, err = d.awaitPods(ctx, object, d.options.Limits.Settle, true)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", identify(object), err)
	}
	return nil
}

// awaitPods returns the ends of a fault once none of their pods is on its way out
// and, if they are to be steady, all have been ready for long enough.
func (d *Driver) awaitPods(ctx context.Context, object fault.Object, limit time.Duration, steady bool) ([]end, error) {
	ends, err := endsOf(object, d.options.Namespaces)
	if err == nil {
		err = cmp.Or(d.unwatched[fault.NameOf(object)], d.alive(ctx))
	}
	for deadline := time.Now().Add(limit); err == nil; {
		pod, why, until := d.unsteady(ends, steady)
		if pod == nil || pod.DeletionTimestamp == nil {
			for _, end := range ends {
				if err := end.check(d.podsOf(end)); err != nil {
					return nil, err
				}
			}
		}
		if pod == nil {
			return ends, nil
		}
		if !time.Now().Before(deadline) {
			return nil, refused("spec.selector", describe(pod), "selects pod %s/%s, which %s", pod.Namespace, pod.Name, why)
		}
		if until.IsZero() {
			until = deadline
		}
		err = d.wait(ctx, earlier(until, deadline))
	}
	return nil, err
}

// unsteady is a selected pod that a fault is not to be put on yet, why, and until
// when at least. A pod on its way out comes first: Chaos Mesh selects it as any
// other, and fails to inject for ever when it has gone.
func (d *Driver) unsteady(ends []end, steady bool) (found *corev1.Pod, why string, until time.Time) {
	for _, end := range ends {
		for _, pod := range end.of(d.podsOf(end)) {
			became, ready := Since(&pod, corev1.PodReady)
			settled := became.Add(d.options.Limits.Steady)
			switch {
			case pod.DeletionTimestamp != nil:
				why = "is on its way out since " + pod.DeletionTimestamp.UTC().Format(time.TimeOnly) + ": Chaos Mesh would try to hit it too"
				return &pod, why, time.Time{}
			case !steady || found != nil:
			case !ready:
				found, why = &pod, "is not ready"
			case time.Now().Before(settled):
				found, why, until = &pod, "has only just become ready", settled
			}
		}
	}
	return found, why, until
}

// Since is from when a condition of a pod holds, if it does. The API server has
// that in whole seconds: it may be up to one second later.
func Since(pod *corev1.Pod, kind corev1.PodConditionType) (time.Time, bool) {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == kind && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

func (d *Driver) podsOf(end end) (list []corev1.Pod) {
	for _, pod := range d.pods {
		if slices.Contains(end.namespaces(), pod.Namespace) {
			list = append(list, *pod)
		}
	}
	byName(list)
	return list
}

func (d *Driver) podNamed(name types.NamespacedName) *corev1.Pod {
	for _, pod := range d.pods {
		if pod.Namespace == name.Namespace && pod.Name == name.Name {
			return pod
		}
	}
	return nil
}
