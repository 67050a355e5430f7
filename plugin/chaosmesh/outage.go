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
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// outage is what a PodChaos does to its pods.
type outage struct {
	action     v1alpha1.PodChaosAction
	end        end
	containers []string // those that a container-kill names; nil is all
	// pods are the pods that the fault hits, and those that came to match
	// after the selection was read and that Chaos Mesh may have selected too.
	pods   map[types.UID]*outagePod
	wanted int // how many pods were ready before
	// services are those that led to the pods that are hit, with whether they
	// have endpoints; one that has them again is followed no more.
	services map[types.NamespacedName]bool
}

// outagePod is a pod of an outage.
type outagePod struct {
	hit bool // the fault hits it
	// before is the pod as it was when the fault was made, and current as it
	// is now; nil when it has gone.
	before, current *corev1.Pod
	// stale are containers that are not the service come back: those that
	// were hit, and those that a pod-failure puts in their place.
	stale map[string]bool
	// down is when the pod was seen down, and how says what of it.
	down time.Time
	how  string
}

func newOutage(chaos *v1alpha1.PodChaos, source end, pods []corev1.Pod) *outage {
	o := &outage{action: chaos.Spec.Action, end: source, pods: map[types.UID]*outagePod{}}
	if o.action == v1alpha1.ContainerKillAction {
		o.containers = chaos.Spec.ContainerNames
	}
	for _, pod := range source.of(pods) {
		o.add(&pod).hit = true
		if isReady(&pod) {
			o.wanted++
		}
	}
	o.wanted = max(o.wanted, 1)
	return o
}

func (o *outage) add(pod *corev1.Pod) *outagePod {
	p := &outagePod{before: pod, current: pod, stale: map[string]bool{}}
	for _, container := range o.containersOf(pod) {
		p.stale[container.ContainerID] = true
	}
	o.pods[pod.UID] = p
	return p
}

// containersOf are the containers of a pod that the fault is about.
func (o *outage) containersOf(pod *corev1.Pod) []corev1.ContainerStatus {
	return slices.DeleteFunc(slices.Clone(pod.Status.ContainerStatuses), func(container corev1.ContainerStatus) bool {
		return len(o.containers) > 0 && !slices.Contains(o.containers, container.Name)
	})
}

// running are those of them that ran when the fault was made, by name.
func (o *outage) running(p *outagePod) map[string]corev1.ContainerStatus {
	running := map[string]corev1.ContainerStatus{}
	for _, container := range o.containersOf(p.before) {
		if container.State.Running != nil {
			running[container.Name] = container
		}
	}
	return running
}

func (o *outage) podChanged(pod *corev1.Pod, gone bool, now time.Time) {
	p := o.pods[pod.UID]
	switch {
	case p == nil && !gone && o.end.matches(pod):
		o.add(pod)
	case p != nil:
		if p.current = pod; gone {
			p.current = nil
		}
		o.update(p, now)
	}
}

func (o *outage) update(p *outagePod, now time.Time) {
	if p.swapped() {
		for _, container := range p.current.Status.ContainerStatuses {
			p.stale[container.ContainerID] = true
		}
	}
	if how, ended := o.ended(p); ended && p.down.IsZero() {
		p.down, p.how = now, how
	}
}

// swapped reports whether the pod has other images, as under a pod-failure.
func (p *outagePod) swapped() bool {
	return p.current != nil && !slices.EqualFunc(p.current.Spec.Containers, p.before.Spec.Containers, func(a, b corev1.Container) bool {
		return a.Image == b.Image
	})
}

// ended reports whether all that ran in the pod has ended, and how.
func (o *outage) ended(p *outagePod) (string, bool) {
	if p.current == nil {
		return fmt.Sprintf("pod %s has gone", p.before.Name), true
	}
	running := o.running(p)
	if len(running) == 0 {
		return fmt.Sprintf("nothing ran in pod %s", p.before.Name), o.action == v1alpha1.PodFailureAction
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(running)) {
		how, ended := containerEnded(p.current, name, running[name].ContainerID)
		if !ended {
			return "", false
		}
		list = append(list, how)
	}
	return fmt.Sprintf("in pod %s %s", p.before.Name, strings.Join(list, ", ")), true
}

// containerEnded reports whether the container with that id does not run any more.
func containerEnded(pod *corev1.Pod, name, id string) (string, bool) {
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == name })
	if at < 0 {
		return "", false
	}
	status := pod.Status.ContainerStatuses[at]
	if status.State.Running != nil && status.ContainerID == id {
		return "", false
	}
	for _, state := range []corev1.ContainerState{status.State, status.LastTerminationState} {
		if end := state.Terminated; end != nil && (end.ContainerID == id || end.ContainerID == "") {
			how := fmt.Sprintf("container %s has ended with exit code %d", name, end.ExitCode)
			if end.Reason != "" {
				how += " (" + end.Reason + ")"
			}
			return how, true
		}
	}
	if status.State.Waiting != nil && status.ContainerID == id {
		// The kubelet has lost sight of it for a moment; it may still run.
		return "", false
	}
	return fmt.Sprintf("container %s has been replaced", name), true
}

// injected takes from Chaos Mesh's records which pods were hit.
func (o *outage) injected(records []*v1alpha1.Record, now time.Time) {
	for _, record := range records {
		var named []*outagePod
		for _, p := range o.pods {
			if client.ObjectKeyFromObject(p.before) == podOf(record) {
				named = append(named, p)
			}
		}
		// One that was hit is gone if there is another one of its name.
		if !slices.ContainsFunc(named, func(p *outagePod) bool { return p.hit }) {
			for _, p := range named {
				p.hit = true
			}
		}
	}
	for _, p := range o.pods {
		o.update(p, now)
	}
}

// isDown reports whether all pods that were hit are down, when the last of them
// was seen to be, and how.
func (o *outage) isDown() (at time.Time, how string, is bool) {
	var list []string
	for _, p := range o.pods {
		switch {
		case !p.hit:
			continue
		case p.down.IsZero():
			return time.Time{}, "", false
		case p.down.After(at):
			at = p.down
		}
		list = append(list, p.how)
	}
	slices.Sort(list)
	return at, strings.Join(list, "; "), true
}

// isReady reports whether as many pods serve as did before, by what was started
// after the fault. Before a pod-failure is released there is no saying what
// comes back for good.
func (o *outage) isReady(pods map[types.UID]*corev1.Pod, released bool) (what string, is bool) {
	if o.action == v1alpha1.PodFailureAction && !released {
		return "", false
	}
	var list []string
	for uid, pod := range pods {
		p := o.pods[uid]
		switch {
		case !isReady(pod) || !o.end.matches(pod):
		case p == nil || !p.hit:
			list = append(list, fmt.Sprintf("pod %s is ready", pod.Name))
		case o.action != v1alpha1.PodKillAction && o.restarted(p):
			list = append(list, fmt.Sprintf("pod %s is ready again", pod.Name))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", "), len(list) >= o.wanted
}

// restarted reports whether the service was started in the pod since it was hit.
func (o *outage) restarted(p *outagePod) bool {
	before := o.running(p)
	return p.current != nil && !p.swapped() && !slices.ContainsFunc(o.containersOf(p.current), func(container corev1.ContainerStatus) bool {
		built, known := before[container.Name]
		return container.State.Running == nil || p.stale[container.ContainerID] || known && built.ImageID != container.ImageID
	})
}

func isReady(pod *corev1.Pod) bool {
	_, ready := readySince(pod)
	return ready && pod.DeletionTimestamp == nil
}

// endpoints are the endpoints that requests go to, by service.
func (d *Driver) endpoints() map[types.NamespacedName][]discoveryv1.Endpoint {
	all := map[types.NamespacedName][]discoveryv1.Endpoint{}
	for _, slice := range d.slices {
		service := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		for _, endpoint := range slice.Endpoints {
			if endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready {
				all[service] = append(all[service], endpoint)
			}
		}
	}
	return all
}

// servicesOf are the services that lead to the pods of an outage.
func (d *Driver) servicesOf(o *outage) map[types.NamespacedName]bool {
	services := map[types.NamespacedName]bool{}
	for service, endpoints := range d.endpoints() {
		if slices.ContainsFunc(endpoints, func(endpoint discoveryv1.Endpoint) bool {
			return endpoint.TargetRef != nil && o.pods[endpoint.TargetRef.UID] != nil
		}) {
			services[service] = true
		}
	}
	return services
}

// endpointsChanged notes the first time that a service has no endpoint, and the
// first time that it has one again.
func (f *activeFault) endpointsChanged(now time.Time) {
	if f.outage == nil || f.phase == "" || f.removed {
		return
	}
	all := f.driver.endpoints()
	for service, serving := range f.outage.services {
		switch endpoints := all[service]; {
		case serving && len(endpoints) == 0:
			f.outage.services[service] = false
			f.note(now, fmt.Sprintf("service %s has no endpoint", service.Name))
		case !serving && len(endpoints) > 0:
			delete(f.outage.services, service)
			var addresses []string
			for _, endpoint := range endpoints {
				addresses = append(addresses, endpoint.Addresses...)
			}
			f.note(now, fmt.Sprintf("service %s has an endpoint again: %s", service.Name, strings.Join(distinct(addresses), ", ")))
		}
	}
}
