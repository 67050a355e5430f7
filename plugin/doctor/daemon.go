package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// lookAtDaemon looks for a chaos-daemon on each node that has pods of the
// target: it is what puts network faults on, and kills containers.
func lookAtDaemon(ctx context.Context, e *examination) {
	nodes := e.nodes()
	if len(nodes) == 0 {
		e.found(Finding{State: Skipped, Message: "not looked at, since no pod of the target was found"})
		e.failed[daemonCheck] = true
		return
	}
	list := &corev1.PodList{}
	err := e.Client.List(ctx, list, client.InNamespace(e.ChaosMesh), client.MatchingLabels{componentLabel: chaosDaemon})
	if apierrors.IsForbidden(err) {
		e.warn("namespace "+e.ChaosMesh, e.grantReading(), "it is not known whether chaos-daemon runs on %s: we may not list pods there", strings.Join(nodes, ", "))
		return
	}
	if err != nil {
		e.fail("namespace "+e.ChaosMesh, "kubectl -n "+e.ChaosMesh+" get pods", "its pods cannot be listed: %v", cause(ctx, err))
		return
	}
	daemons := map[string]Pod{}
	for _, pod := range list.Items {
		if seen := podOf(pod); !daemons[seen.Node].Ready {
			daemons[seen.Node] = seen
		}
	}
	for _, node := range nodes {
		daemon, there := daemons[node]
		switch {
		case !there:
			e.fail("node "+node, fmt.Sprintf("kubectl -n %s describe daemonset %s\nits node selector and tolerations decide where it runs", e.ChaosMesh, chaosDaemon),
				"no chaos-daemon runs there, and %s: network faults and container kills cannot be put on", e.on(node))
		case !daemon.Ready:
			e.fail("node "+node, fmt.Sprintf("kubectl -n %s describe pod %s\nkubectl -n %s logs %s", e.ChaosMesh, daemon.Name, e.ChaosMesh, daemon.Name),
				"its chaos-daemon %s is not ready (%s), and %s", daemon.Name, daemon.Why, e.on(node))
		default:
			e.ok("node "+node, "chaos-daemon %s is ready", daemon.Name)
		}
	}
}

// nodes are those that have pods of the target, sorted.
func (e *examination) nodes() []string {
	var nodes []string
	for _, pods := range e.pods {
		for _, pod := range pods {
			if pod.Node != "" {
				nodes = append(nodes, pod.Node)
			}
		}
	}
	slices.Sort(nodes)
	return slices.Compact(nodes)
}

// on says which services have pods on a node.
func (e *examination) on(node string) string {
	var names []string
	for _, name := range e.services() {
		if slices.ContainsFunc(e.pods[name], func(pod Pod) bool { return pod.Node == node }) {
			names = append(names, name)
		}
	}
	if len(names) == 1 {
		return names[0] + " is there"
	}
	return strings.Join(names, ", ") + " are there"
}
