package chaosmesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// outage is what a PodChaos does to its pods.
type outage struct {
	action v1alpha1.PodChaosAction
	end    end
	pods   map[types.UID]*outagePod // those that the fault hits
	wanted int                      // how many pods were ready before
}

type outagePod struct {
	// before is the pod as it was when the fault was made, and last as it was seen last.
	before, last *corev1.Pod
	gone         bool
	// containers are those that are to go down: the ones that a container-kill
	// names, else those that serve.
	containers []string
	// stale are containers that are not the service come back: those that
	// were hit, and those that a pod-failure puts in their place.
	stale map[string]bool
	down  engine.Moment // without a time until it is down
}

func (d *Driver) newOutage(chaos *v1alpha1.PodChaos, source end) *outage {
	o := &outage{action: chaos.Spec.Action, end: source, pods: map[types.UID]*outagePod{}}
	for _, pod := range source.of(d.podsOf(source)) {
		p := &outagePod{before: &pod, last: &pod, containers: d.serving(&pod), stale: map[string]bool{}}
		if o.action == v1alpha1.ContainerKillAction && len(chaos.Spec.ContainerNames) > 0 {
			p.containers = chaos.Spec.ContainerNames
		}
		for _, container := range p.statuses(&pod) {
			p.stale[container.ContainerID] = true
		}
		o.pods[pod.UID] = p
		if isReady(&pod) {
			o.wanted++
		}
	}
	o.wanted = max(o.wanted, 1)
	return o
}

// serving are the containers of a pod that have a port which a Service sends to,
// or else its first one: others may outlast them, such as one with a preStop hook.
func (d *Driver) serving(pod *corev1.Pod) (names []string) {
	ports := map[int32]bool{}
	var all discoveryv1.EndpointSliceList
	_ = d.watches.List(d.lifetime, &all) // Without them it is the first one.
	for _, slice := range all.Items {
		if slices.ContainsFunc(slice.Endpoints, func(e discoveryv1.Endpoint) bool { return e.TargetRef != nil && e.TargetRef.UID == pod.UID }) {
			for _, port := range slice.Ports {
				ports[ptr.Deref(port.Port, 0)] = true
			}
		}
	}
	for _, container := range pod.Spec.Containers {
		if slices.ContainsFunc(container.Ports, func(port corev1.ContainerPort) bool { return ports[port.ContainerPort] }) {
			names = append(names, container.Name)
		}
	}
	if len(names) == 0 && len(pod.Spec.Containers) > 0 {
		names = []string{pod.Spec.Containers[0].Name}
	}
	return names
}

// statuses are those of the containers that are to go down.
func (p *outagePod) statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.DeleteFunc(slices.Clone(pod.Status.ContainerStatuses), func(container corev1.ContainerStatus) bool {
		return !slices.Contains(p.containers, container.Name)
	})
}

// running are those of them that ran when the fault was made, by name.
func (p *outagePod) running() map[string]corev1.ContainerStatus {
	running := map[string]corev1.ContainerStatus{}
	for _, container := range p.statuses(p.before) {
		if container.State.Running != nil {
			running[container.Name] = container
		}
	}
	return running
}

// podChanged takes a new state of a pod. Before was when it was last known that
// there was none.
func (o *outage) podChanged(pod *corev1.Pod, gone bool, before, now time.Time) {
	p := o.pods[pod.UID]
	if p == nil {
		return
	}
	if p.last, p.gone = pod, gone; p.swapped() {
		for _, container := range pod.Status.ContainerStatuses {
			p.stale[container.ContainerID] = true
		}
	}
	if how, told, ended := o.ended(p); ended && p.down.At.IsZero() {
		p.down = engine.Moment{At: now, After: before, Told: told, Detail: how}
	}
}

// swapped reports whether the pod has other images, as under a pod-failure.
func (p *outagePod) swapped() bool {
	return !p.gone && !slices.EqualFunc(p.last.Spec.Containers, p.before.Spec.Containers, func(a, b corev1.Container) bool {
		return a.Image == b.Image
	})
}

// ended reports whether all that is to go down in the pod has ended, how, and when the kubelet says.
func (o *outage) ended(p *outagePod) (how string, told time.Time, is bool) {
	running := p.running()
	if !p.gone && len(running) == 0 {
		return fmt.Sprintf("nothing ran in pod %s", p.before.Name), told, o.action == v1alpha1.PodFailureAction
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(running)) {
		how, at, ended := containerEnded(p.last, name, running[name].ContainerID)
		if !ended && !p.gone {
			return "", told, false
		}
		list, told = append(list, how), later(told, at)
	}
	if p.gone {
		return fmt.Sprintf("pod %s has gone", p.before.Name), told, true
	}
	return fmt.Sprintf("in pod %s %s", p.before.Name, strings.Join(list, ", ")), told, true
}

// containerEnded reports whether the container with that id has ended, how, and when the kubelet says.
func containerEnded(pod *corev1.Pod, name, id string) (how string, told time.Time, is bool) {
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == name })
	if at < 0 {
		return "", told, false
	}
	status := pod.Status.ContainerStatuses[at]
	if status.State.Running != nil && status.ContainerID == id {
		return "", told, false
	}
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if end := state.Terminated; end != nil && (end.ContainerID == id || end.ContainerID == "") {
			how := fmt.Sprintf("container %s has ended with exit code %d", name, end.ExitCode)
			if end.Reason != "" {
				how += " (" + end.Reason + ")"
			}
			return how, end.FinishedAt.Time, true
		}
	}
	if status.State.Waiting != nil && status.ContainerID == id {
		// The kubelet has lost sight of it for a moment; it may still run.
		return "", told, false
	}
	return fmt.Sprintf("container %s has been replaced", name), told, true
}

// isDown reports whether all pods that were hit are down, and when the last of them was.
func (o *outage) isDown() (down engine.Moment, is bool) {
	var list []string
	for _, p := range o.pods {
		if p.down.At.IsZero() {
			return down, false
		}
		down.At, down.After, down.Told = later(down.At, p.down.At), later(down.After, p.down.After), later(down.Told, p.down.Told)
		list = append(list, p.down.Detail)
	}
	down.Detail = strings.Join(distinct(list), "; ")
	return down, true
}

// isBack reports whether as many pods as served before are there, started after
// the fault, or are even ready. Before a pod-failure is released there is no
// saying what comes back for good.
func (o *outage) isBack(pods map[types.UID]*corev1.Pod, released, ready bool) (back engine.Moment, is bool) {
	if o.action == v1alpha1.PodFailureAction && !released {
		return back, false
	}
	var list []string
	for uid, pod := range pods {
		p := o.pods[uid]
		if !o.end.matches(pod) || pod.DeletionTimestamp != nil || p != nil && (o.action == v1alpha1.PodKillAction || !p.restarted()) {
			continue
		}
		what, again := "is on node "+pod.Spec.NodeName, ""
		told, _ := Since(pod, corev1.PodScheduled)
		if is = pod.Spec.NodeName != ""; p != nil {
			what, again = "has started again", " again"
			for _, container := range p.statuses(pod) {
				told = later(told, container.State.Running.StartedAt.Time)
			}
		}
		if ready {
			what = "is ready" + again
			told, is = Since(pod, corev1.PodReady)
		}
		if is {
			list = append(list, fmt.Sprintf("pod %s %s", pod.Name, what))
			back.Told = later(back.Told, told)
		}
	}
	back.Detail = strings.Join(distinct(list), ", ")
	return back, len(list) >= o.wanted
}

// restarted reports whether the service was started in the pod since it was hit.
func (p *outagePod) restarted() bool {
	before := p.running()
	return !p.gone && !p.swapped() && !slices.ContainsFunc(p.statuses(p.last), func(container corev1.ContainerStatus) bool {
		built, known := before[container.Name]
		return container.State.Running == nil || p.stale[container.ContainerID] || known && built.ImageID != container.ImageID
	})
}

func isReady(pod *corev1.Pod) bool {
	_, ready := Since(pod, corev1.PodReady)
	return ready && pod.DeletionTimestamp == nil
}
