package doctor

import (
	"context"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// lookAtPods looks for the pods of each service, exactly as a fault selects
// them.
func lookAtPods(ctx context.Context, e *examination) {
	none := true
	for _, name := range e.services() {
		service := e.Target.Services[name]
		if !service.HasPods() {
			continue
		}
		none = false
		there, err := chaosmesh.Pods(ctx, e.Client, service.Namespace, service.Labels)
		if err != nil {
			e.fail(name, "kubectl -n "+service.Namespace+" get pods", "%v", cause(ctx, err))
			continue
		}
		var pods []Pod
		for _, pod := range there {
			// A pod that is on its way out is no fault's to select for long.
			if pod.DeletionTimestamp == nil {
				pods = append(pods, podOf(pod))
			}
		}
		e.pods[name] = pods
		if len(pods) == 0 {
			e.nobody(ctx, name)
			continue
		}
		e.selected(name, pods)
	}
	if none {
		e.fail("", "write namespace and labels under services in the target file", "no service of the target has labels, so no fault can select anything")
	}
}

// nobody says that a selector matches nothing, and what it could match.
func (e *examination) nobody(ctx context.Context, name string) {
	service := e.Target.Services[name]
	message := fmt.Sprintf("no pod in namespace %s has the labels %s", service.Namespace, labels.FormatLabels(service.Labels))
	remedy := fmt.Sprintf("write its own into services.%s of the target file:\nkubectl -n %s get pods --show-labels", name, service.Namespace)
	switch there, err := chaosmesh.Pods(ctx, e.Client, service.Namespace, nil); {
	case err != nil:
	case len(there) == 0:
		message = fmt.Sprintf("namespace %s has no pod, or is not there", service.Namespace)
		remedy = fmt.Sprintf("write the namespace of its pods into services.%s of the target file:\nkubectl get pods --all-namespaces --selector %s", name, labels.FormatLabels(service.Labels))
	default:
		message += "; those there have " + chaosmesh.LabelsThere(there, service.Labels)
	}
	e.fail(name, remedy, "%s", message)
}

// selected says which pods a service has.
func (e *examination) selected(name string, pods []Pod) {
	finding := Finding{State: OK, Subject: name, Pods: pods}
	ready := 0
	var texts []string
	for _, pod := range pods {
		if pod.Ready {
			ready++
		}
		texts = append(texts, pod.String())
	}
	finding.Message = strings.Join(texts, "; ")
	namespace := pods[0].Namespace
	switch {
	case ready == 0:
		finding.State = Fail
		finding.Remedy = fmt.Sprintf("kubectl -n %s describe pod %s\nkubectl -n %s logs %s", namespace, pods[0].Name, namespace, pods[0].Name)
	case ready < len(pods):
		finding.State = Warn
		for _, pod := range pods {
			if !pod.Ready {
				finding.Remedy = fmt.Sprintf("kubectl -n %s describe pod %s", namespace, pod.Name)
			}
		}
	}
	if len(pods) > 1 {
		finding.Message = fmt.Sprintf("%d pods, which a fault hits all at once: it is down when the last of them is, and ready when all are again; %s", len(pods), finding.Message)
	}
	e.found(finding)
}

func podOf(pod corev1.Pod) Pod {
	seen := Pod{Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			seen.Ready = condition.Status == corev1.ConditionTrue
		}
	}
	if !seen.Ready {
		seen.Why = whyNotReady(pod)
	}
	return seen
}

// whyNotReady is the nearest that a pod's status says.
func whyNotReady(pod corev1.Pod) string {
	for _, container := range pod.Status.ContainerStatuses {
		if waiting := container.State.Waiting; waiting != nil && waiting.Reason != "" {
			return strings.TrimSuffix(fmt.Sprintf("%s: %s", waiting.Reason, waiting.Message), ": ")
		}
		if ended := container.State.Terminated; ended != nil {
			return fmt.Sprintf("its container %s ended with %d (%s)", container.Name, ended.ExitCode, ended.Reason)
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Status != corev1.ConditionTrue && condition.Message != "" {
			return condition.Message
		}
	}
	return string(pod.Status.Phase)
}
