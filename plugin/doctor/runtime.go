package doctor

import (
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// daemonRuntime is the container runtime that a chaos-daemon is set up for: Chaos
// Mesh's chart sets one for all nodes. It is empty where none is named.
func daemonRuntime(daemon corev1.Pod) string {
	for _, container := range daemon.Spec.Containers {
		words := slices.Concat(container.Command, container.Args)
		if at := slices.Index(words, "--runtime") + 1; at > 0 && at < len(words) {
			return words[at]
		}
	}
	return ""
}

// nodeRuntime is the container runtime of a node, as chaos-daemon names it. It is
// empty where it is not known, as without the right to read nodes.
func (e *examination) nodeRuntime(ctx context.Context, name string) string {
	node := &corev1.Node{}
	if err := e.Client.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
		return ""
	}
	runtime, _, _ := strings.Cut(node.Status.NodeInfo.ContainerRuntimeVersion, "://")
	return strings.ReplaceAll(runtime, "-", "")
}
