package chaosmesh

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// outage is what a PodChaos does to its pods.
type outage struct {
	action v1alpha1.PodChaosAction
	end    end
	// containers are those that a container-kill names; nil is all.
	containers []string
	// struck are the pods that the fault hits.
	struck map[types.UID]*struck
	// others are pods that came to match after the selection was read, and
	// that Chaos Mesh may have selected as well.
	others map[types.UID]*struck
	// wanted is how many pods were ready before.
	wanted int
}

// struck is a pod that is hit.
type struck struct {
	namespace, name string
	// running are the containers that ran when the fault was made, with their
	// ids: they are what goes down.
	running map[string]string
	// images are those of the pod's specification, and built those that the
	// containers were made of.
	images, built map[string]string
	// stale are containers that are not the service come back: those that
	// were hit, and those that a pod-failure puts in their place.
	stale map[string]bool
	// down is when the pod was seen down, and what says how.
	down time.Time
	what string
	// now is the pod as it is; nil if it is no more.
	now *corev1.Pod
}

func newOutage(chaos *v1alpha1.PodChaos, source end, pods []corev1.Pod) *outage {
	o := &outage{action: chaos.Spec.Action, end: source, struck: map[types.UID]*struck{}, others: map[types.UID]*struck{}}
	if o.action == v1alpha1.ContainerKillAction {
		o.containers = chaos.Spec.ContainerNames
	}
	for _, pod := range source.of(pods) {
		o.struck[pod.UID] = o.strike(&pod)
		if isReady(&pod) {
			o.wanted++
		}
	}
	o.wanted = max(o.wanted, 1)
	return o
}

func (o *outage) strike(pod *corev1.Pod) *struck {
	s := &struck{
		namespace: pod.Namespace, name: pod.Name, now: pod,
		running: map[string]string{}, images: map[string]string{}, built: map[string]string{}, stale: map[string]bool{},
	}
	for _, container := range pod.Spec.Containers {
		s.images[container.Name] = container.Image
	}
	for _, container := range pod.Status.ContainerStatuses {
		if !o.about(container.Name) {
			continue
		}
		s.stale[container.ContainerID] = true
		if container.State.Running != nil {
			s.running[container.Name] = container.ContainerID
			s.built[container.Name] = container.ImageID
		}
	}
	return s
}

// about says whether the fault is about the container.
func (o *outage) about(container string) bool {
	return len(o.containers) == 0 || slices.Contains(o.containers, container)
}

// told: the watch tells something of a pod.
func (o *outage) told(pod *corev1.Pod, gone bool, now time.Time) {
	s := o.struck[pod.UID]
	if s == nil {
		s = o.others[pod.UID]
	}
	if s == nil {
		if !gone && o.end.matches(pod) {
			o.others[pod.UID] = o.strike(pod)
		}
		return
	}
	s.now = pod
	if gone {
		s.now = nil
	}
	o.follow(s, now)
}

// follow sees what has become of a pod.
func (o *outage) follow(s *struck, now time.Time) {
	if s.swapped() {
		for _, container := range s.now.Status.ContainerStatuses {
			s.stale[container.ContainerID] = true
		}
	}
	if !s.down.IsZero() {
		return
	}
	what, down := s.ended()
	if !down && s.now != nil && len(s.running) == 0 && o.action == v1alpha1.PodFailureAction {
		what, down = fmt.Sprintf("nothing ran in pod %s", s.name), true
	}
	if down {
		s.down, s.what = now, what
	}
}

// swapped says whether the pod has other images than before: a pod-failure is
// on.
func (s *struck) swapped() bool {
	return s.now != nil && slices.ContainsFunc(s.now.Spec.Containers, func(container corev1.Container) bool {
		return container.Image != s.images[container.Name]
	})
}

// ended says whether all that ran in the pod has ended, and how.
func (s *struck) ended() (string, bool) {
	if s.now == nil {
		return fmt.Sprintf("pod %s has gone", s.name), true
	}
	if len(s.running) == 0 {
		return "", false
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		how, ended := containerEnded(s.now, name, s.running[name])
		if !ended {
			return "", false
		}
		list = append(list, how)
	}
	return fmt.Sprintf("in pod %s %s", s.name, strings.Join(list, ", ")), true
}

// containerEnded says whether the container with that id does not run any more.
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

// hit takes from Chaos Mesh's records which pods were hit.
func (o *outage) hit(records []*v1alpha1.Record, pods map[types.UID]*corev1.Pod) {
	for _, record := range records {
		namespace, name := podOf(record)
		known := func(of map[types.UID]*struck) bool {
			for _, s := range of {
				if s.namespace == namespace && s.name == name {
					return true
				}
			}
			return false
		}
		if known(o.struck) {
			continue
		}
		for uid, s := range o.others {
			if s.namespace == namespace && s.name == name {
				o.struck[uid] = s
				delete(o.others, uid)
			}
		}
	}
	for uid, s := range o.struck {
		if s.down.IsZero() && pods[uid] != nil {
			o.follow(s, time.Now())
		}
	}
}

// isDown says whether all pods that were hit are down, when the last of them
// was seen to be, and how.
func (o *outage) isDown() (at time.Time, what string, is bool) {
	var list []string
	for _, s := range o.sorted() {
		if s.down.IsZero() {
			return time.Time{}, "", false
		}
		if s.down.After(at) {
			at = s.down
		}
		list = append(list, s.what)
	}
	return at, strings.Join(list, "; "), true
}

func (o *outage) sorted() []*struck {
	return slices.SortedFunc(maps.Values(o.struck), func(a, b *struck) int {
		return strings.Compare(a.namespace+"/"+a.name, b.namespace+"/"+b.name)
	})
}

// isReady says whether as many pods serve as did before, by what was started
// after the fault. Before a pod-failure is released there is no saying what
// comes back for good.
func (o *outage) isReady(pods map[types.UID]*corev1.Pod, released bool) (what string, is bool) {
	if o.action == v1alpha1.PodFailureAction && !released {
		return "", false
	}
	var list []string
	for uid, pod := range pods {
		s := o.struck[uid]
		switch {
		case !isReady(pod) || !o.end.matches(pod):
		case s == nil:
			list = append(list, fmt.Sprintf("pod %s is ready", pod.Name))
		case o.action != v1alpha1.PodKillAction && s.back(o):
			list = append(list, fmt.Sprintf("pod %s is ready again", pod.Name))
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", "), len(list) >= o.wanted
}

// back says whether what runs in the pod is the service, started after what
// was hit had ended.
func (s *struck) back(o *outage) bool {
	if s.now == nil || s.swapped() {
		return false
	}
	for _, container := range s.now.Status.ContainerStatuses {
		if !o.about(container.Name) {
			continue
		}
		built, known := s.built[container.Name]
		if container.State.Running == nil || s.stale[container.ContainerID] || known && built != container.ImageID {
			return false
		}
	}
	return true
}

// isReady says whether the pod serves.
func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
}
