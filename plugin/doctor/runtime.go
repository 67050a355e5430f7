package doctor

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// setRuntime is the container runtime that a chaos-daemon is set up for: Chaos
// Mesh's chart sets one for all nodes. It is empty where none is named.
func setRuntime(daemon corev1.Pod) string {
	for _, container := range daemon.Spec.Containers {
		words := slices.Concat(container.Command, container.Args)
		if at := slices.Index(words, "--runtime") + 1; at > 0 && at < len(words) {
			return words[at]
		}
	}
	return ""
}

// nodeRuntime is the container runtime that a pod's node really has, as chaos-daemon
// names it. It is empty before a container of the pod was made.
func nodeRuntime(pod corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if runtime, _, is := strings.Cut(container.ContainerID, "://"); is {
			return strings.ReplaceAll(runtime, "-", "")
		}
	}
	return ""
}
