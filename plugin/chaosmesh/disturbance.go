package chaosmesh

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var _ engine.Watcher = (*Driver)(nil)

// Watch observes what happens to the pods of the target's services; see
// [engine.Watcher]. What happens while the API server is away is seen later.
func (d *Driver) Watch(ctx context.Context, observe func(engine.Disturbance)) error {
	d.mu.Lock()
	d.observe = observe
	d.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-d.lifetime.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.observe = nil
	if ctx.Err() == nil {
		return ErrClosed
	}
	return nil
}

// disturbed tells who watches of what has happened to a pod, unless a fault explains it.
func (d *Driver) disturbed(before, pod *corev1.Pod, gone bool, now time.Time) {
	text, stops := disturbance(before, pod, gone)
	if text == "" || d.observe == nil || d.explained(pod, stops) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(d.options.Services)) {
		if isOf(d.options.Services[name], pod) {
			d.observe(engine.Disturbance{Service: name, At: now, Text: text})
		}
	}
}

func isOf(service target.Service, pod *corev1.Pod) bool {
	return service.HasPods() && service.Namespace == pod.Namespace && labels.SelectorFromSet(service.Labels).Matches(labels.Set(pod.Labels))
}

// disturbance describes what has happened to a pod since it was seen before,
// empty when that is nothing, and whether something in it was stopped.
func disturbance(before, pod *corev1.Pod, gone bool) (text string, stops bool) {
	switch {
	case before == nil || before.DeletionTimestamp != nil: // It is new, or on its way out already.
		return "", false
	case gone:
		return fmt.Sprintf("pod %s has gone", pod.Name), true
	case pod.DeletionTimestamp != nil:
		return fmt.Sprintf("pod %s is on its way out: somebody deleted it", pod.Name), true
	}
	for _, container := range before.Status.ContainerStatuses {
		if container.State.Running != nil {
			if how, _, ended := containerEnded(pod, container.Name, container.ContainerID); ended {
				return fmt.Sprintf("in pod %s %s", pod.Name, how), true
			}
		}
	}
	if isReady(before) && !isReady(pod) {
		return fmt.Sprintf("pod %s is not ready any more", pod.Name), false
	}
	return "", false
}

// explained reports whether a fault explains what happens to a pod: one that
// stops pods that it is down, until what serves in its place is ready, and any
// other that the pods that it is on are not ready.
func (d *Driver) explained(pod *corev1.Pod, stops bool) bool {
	for _, f := range d.faults {
		switch {
		case f.outage != nil && f.phase != plan.Ready && f.outage.end.matches(pod):
			return true
		case f.outage == nil && !stops && f.announced.pods[client.ObjectKeyFromObject(pod)]:
			return true
		}
	}
	return false
}

// confirmEvery is the time between two confirmations that the watch is live.
const confirmEvery = 500 * time.Millisecond

// superviseWatch reads the pods as long as an outage lasts: when the answer is
// what the watch has told, the watch was live when it was asked for.
func (f *activeFault) superviseWatch() {
	d := f.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	for f.outage != nil && f.phase != plan.Ready && (!f.removed || f.isDown()) {
		asked := time.Now()
		var list []corev1.Pod
		err := d.unlocked(func() (err error) {
			ctx, cancel := context.WithTimeout(d.lifetime, readLimit)
			defer cancel()
			list, err = f.outage.end.list(ctx, d.client)
			return err
		})
		known := d.podsOf(f.outage.end)
		if err == nil && slices.EqualFunc(list, known, func(a, b corev1.Pod) bool { return a.UID == b.UID && a.ResourceVersion == b.ResourceVersion }) {
			d.live = asked
		}
		for next := asked.Add(confirmEvery); time.Now().Before(next); {
			if d.wait(d.lifetime, next) != nil {
				return
			}
		}
	}
}
