package chaosmesh

import (
	"context"
	"fmt"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// Labels of Chaos Mesh's own chart.
const (
	daemonLabel     = "app.kubernetes.io/component=chaos-daemon"
	controllerLabel = "app.kubernetes.io/component=controller-manager"
)

// uninjectable says that Chaos Mesh could not inject the fault, and where to
// look.
func (a *applied) uninjectable(status *v1alpha1.ChaosStatus) error {
	record, message := broken(status, v1alpha1.Apply)
	namespace, name := podOf(record)
	node := "its node"
	for _, pod := range a.driver.pods {
		if pod.Namespace == namespace && pod.Name == name && pod.Spec.NodeName != "" {
			node = "node " + pod.Spec.NodeName
		}
	}
	mesh := a.driver.options.ChaosMeshNamespace
	where := fmt.Sprintf("the cause is in the log of chaos-daemon on %s: kubectl --namespace %s logs --selector %s --prefix --since 5m", node, mesh, daemonLabel)
	switch {
	case strings.Contains(message, "cannot find daemonIP"):
		where = fmt.Sprintf("chaos-daemon does not run on %s: kubectl --namespace %s get pods --selector %s --output wide", node, mesh, daemonLabel)
	case strings.Contains(message, "connection refused"), strings.Contains(message, "code = Unavailable"), strings.Contains(message, "code = DeadlineExceeded"):
		where = fmt.Sprintf("chaos-daemon on %s does not answer: kubectl --namespace %s get pods --selector %s --output wide", node, mesh, daemonLabel)
	case a.outage != nil && a.outage.action != v1alpha1.ContainerKillAction:
		// The controller does it, without the daemon.
		where = fmt.Sprintf("the cause is in the log of chaos-controller-manager: kubectl --namespace %s logs --selector %s --since 5m", mesh, controllerLabel)
	}
	return fmt.Errorf("on %s Chaos Mesh says: %s; %s", record.Id, strings.TrimSpace(message), where)
}

// ignored says that Chaos Mesh has not answered, and who it was that did not.
func (a *applied) ignored(status *v1alpha1.ChaosStatus) error {
	limit, mesh := a.driver.options.Limits.Answer, a.driver.options.ChaosMeshNamespace
	if status == nil || len(status.Experiment.Records) == 0 {
		return fmt.Errorf("nobody has touched %s within %v: Chaos Mesh's chaos-controller-manager does not run, or does not look after namespace %s: kubectl --namespace %s get pods --selector %s",
			a, limit, a.namespace, mesh, controllerLabel)
	}
	return fmt.Errorf("the fault %s is not on %s within %v, and Chaos Mesh does not say why: does chaos-daemon run on the node? kubectl --namespace %s get pods --selector %s --output wide",
		a, targets(status), limit, mesh, daemonLabel)
}

// selectedNothing says that the object found no pod although there was one, or,
// if Chaos Mesh has not said so, that it may not have.
func (a *applied) selectedNothing(said string) error {
	if said == "" {
		return fmt.Errorf("no pod was written down by Chaos Mesh for %s within %v: it selected none, or it is slow to inject: kubectl --namespace %s logs --selector %s --since 5m; the object was removed",
			a, a.driver.options.Limits.Answer, a.driver.options.ChaosMeshNamespace, controllerLabel)
	}
	return fmt.Errorf("nothing was selected by Chaos Mesh for %s (%s), although there were such pods just before: they went meanwhile, or Chaos Mesh does not look after their namespace; it was removed", a, said)
}

// selecting is in what Chaos Mesh says of an object that it could not select
// anything for. It does not try that again.
const selecting = "select targets"

// warning is Chaos Mesh's last warning that an object has selected nothing, or
// empty. Without the right to read events there is none.
func (d *Driver) warning(ctx context.Context, object fault.Object) string {
	var events corev1.EventList
	if d.client.List(ctx, &events, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"involvedObject.uid": string(object.GetUID()), "type": corev1.EventTypeWarning}) != nil {
		return ""
	}
	text := ""
	var latest corev1.Event
	for _, event := range events.Items {
		if strings.Contains(event.Message, selecting) && !event.LastTimestamp.Before(&latest.LastTimestamp) {
			latest, text = event, event.Message
		}
	}
	return text
}
