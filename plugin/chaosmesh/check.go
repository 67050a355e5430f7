package chaosmesh

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var _ engine.Checker = (*Driver)(nil)

// Check says whether the object would be refused because of the pods that are
// there. It waits until those are steady: none on its way out, all ready, and
// for a few seconds already. The kubelet is slow to end a pod that it has just
// started, and the service in its place can then be ready before the old one
// was seen to be gone.
func (d *Driver) Check(ctx context.Context, object fault.Object) error {
	id := identify(object)
	ends, err := endsOf(object)
	if err == nil {
		err = d.inside(id, ends)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	limit := time.NewTimer(d.options.Limits.Settle)
	defer limit.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for over := false; ; {
		if d.closing {
			return ErrClosed
		}
		if err := d.refuses(ends); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		restless, wait := d.restless(ends)
		switch {
		case restless == nil:
			return nil
		case over:
			return fmt.Errorf("%s: %w", id, restless)
		}
		changed := d.changed
		d.mu.Unlock()
		later := time.NewTimer(wait)
		select {
		case <-changed:
		case <-later.C:
		case <-limit.C:
			over = true
		case <-ctx.Done():
			err = ctx.Err()
		case <-d.closed:
		}
		later.Stop()
		d.mu.Lock()
		if err != nil {
			return err
		}
	}
}

// refuses says why Apply would refuse what selects these ends. Of pods that
// are on their way out it waits for the end.
func (d *Driver) refuses(ends []end) error {
	if d.leavingPod(ends) != nil {
		return nil
	}
	for _, end := range ends {
		if err := end.check(d.podsOf(end)); err != nil {
			return err
		}
	}
	return nil
}

// restless says which of the selected pods is not steady, and how long it may
// take until that changes without anything else happening.
func (d *Driver) restless(ends []end) (*fault.FieldError, time.Duration) {
	steady := d.options.Limits.Steady
	for _, end := range ends {
		for _, pod := range d.podsOf(end) {
			if !end.matches(&pod) {
				continue
			}
			why, wait := "", d.options.Limits.Settle
			switch since, is := readySince(&pod); {
			case pod.DeletionTimestamp != nil:
				why = "is on its way out"
			case !is:
				why = "is not ready"
			case time.Since(since) < steady:
				why, wait = "has only just become ready", steady-time.Since(since)
			default:
				continue
			}
			return &fault.FieldError{
				Field:   end.field + ".selector",
				Message: fmt.Sprintf("selects pod %s/%s, which %s", pod.Namespace, pod.Name, why),
				Remedy:  fmt.Sprintf("see why: kubectl --namespace %s describe pod %s", pod.Namespace, pod.Name),
			}, wait
		}
	}
	return nil, 0
}

// readySince is when a pod has become ready, if it is. The API server has that
// in whole seconds: it may be up to one second later.
func readySince(pod *corev1.Pod) (time.Time, bool) {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return condition.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}
