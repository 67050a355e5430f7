package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// selecting are the services that faults select pods for.
func (e *examination) selecting() []string {
	return e.services(target.Service.HasPods)
}

// checkPods looks for the pods of a service, exactly as a fault selects them.
func checkPods(ctx context.Context, e *examination, name string) {
	service := e.Target.Services[name]
	there, err := chaosmesh.Pods(ctx, e.Client, service.Namespace, service.Labels)
	if err != nil {
		e.say(Fail, name, kubectl(service.Namespace, "get pods"), "%v", cause(ctx, err))
		return
	}
	for _, pod := range there {
		// A pod that is on its way out is no fault's to select for long.
		if pod.DeletionTimestamp == nil {
			e.pods[name] = append(e.pods[name], podOf(pod))
		}
	}
	if pods := e.pods[name]; len(pods) > 0 {
		e.selected(name, pods)
		return
	}
	wanted := labels.FormatLabels(service.Labels)
	message := fmt.Sprintf("no pod in namespace %s has the labels %s", service.Namespace, wanted)
	remedy := fmt.Sprintf("write its own into services.%s of the target file:\n%s", name, kubectl(service.Namespace, "get pods --show-labels"))
	switch there, err := chaosmesh.Pods(ctx, e.Client, service.Namespace, nil); {
	case err != nil:
	case len(there) == 0:
		message = fmt.Sprintf("namespace %s has no pod, or is not there", service.Namespace)
		remedy = fmt.Sprintf("write the namespace of its pods into services.%s of the target file:\nkubectl get pods --all-namespaces --selector %s", name, wanted)
	default:
		message += "; those there have " + chaosmesh.LabelsThere(there, service.Labels)
	}
	e.say(Fail, name, remedy, "%s", message)
}

// selected says which pods a service has.
func (e *examination) selected(name string, pods []Pod) {
	finding := Finding{State: OK, Subject: name, Pods: pods}
	var all []string
	for _, pod := range pods {
		all = append(all, pod.String())
	}
	unready := slices.DeleteFunc(slices.Clone(pods), func(pod Pod) bool { return pod.Ready })
	if len(unready) > 0 {
		finding.State, finding.Remedy = Warn, kubectl(unready[0].Namespace, "describe pod "+unready[0].Name)
	}
	if len(unready) == len(pods) {
		finding.State, finding.Remedy = Fail, kubectl(unready[0].Namespace, "describe pod "+unready[0].Name, "logs "+unready[0].Name)
	}
	finding.Message = strings.Join(all, "; ")
	if len(pods) > 1 {
		finding.Message = fmt.Sprintf("%d pods, which a fault hits all at once: it is down when the last of them is, and ready when all are again; %s", len(pods), finding.Message)
	}
	e.found(finding)
}

func podOf(pod corev1.Pod) Pod {
	seen := Pod{Namespace: pod.Namespace, Name: pod.Name, Node: pod.Spec.NodeName}
	seen.Ready = slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
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

// url is where a service is asked whether it is there, if anywhere.
func (e *examination) url(service target.Service) string {
	if service.URL == "" && e.Target.Ingress != nil && service.HasPods() {
		return e.Target.Ingress.URL
	}
	return service.URL
}

// reachable are the services that have an address of their own on the network.
func (e *examination) reachable() []string {
	return e.services(func(service target.Service) bool { return e.url(service) != "" })
}

// checkReach asks a service whether it is there.
func checkReach(ctx context.Context, e *examination, name string) {
	url := e.url(e.Target.Services[name])
	ctx, cancel := e.limited(ctx)
	defer cancel()
	began := time.Now()
	answer, err := e.Reach(ctx, name, url)
	if err != nil {
		e.say(Fail, name, "curl --verbose "+url+"\nwrite where it is reached from here into services."+name+".url of the target file",
			"it does not answer at %s: %v", url, cause(ctx, err))
		return
	}
	e.say(OK, name, "", "%s at %s after %s", answer, url, time.Since(began).Round(time.Millisecond))
}

// AnyAnswer asks a service over HTTP, and takes any answer for a sign that it is
// there; a redirect is one too.
func AnyAnswer(ctx context.Context, _, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	// Unlike a client, a transport follows no redirect.
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return "", err
	}
	if err := response.Body.Close(); err != nil {
		return "", err
	}
	return "answers " + response.Status, nil
}

// checkResources asks for what dead runs left in the system under test.
func checkResources(ctx context.Context, e *examination, _ string) {
	if e.Remains == nil {
		e.say(Skipped, "", "", "not looked at, since the plugin cannot tell")
		return
	}
	finding, err := e.Remains(ctx)
	if err != nil {
		finding = Finding{State: Warn, Message: fmt.Sprintf("what dead runs left cannot be told: %v", cause(ctx, err))}
	}
	if finding.Remedy = e.command("clean"); finding.State == OK {
		finding.Remedy = ""
	}
	e.found(finding)
}

// checkLeftovers looks for faults and a lease that no living run answers for.
func checkLeftovers(ctx context.Context, e *examination, namespace string) {
	subject := "namespace " + namespace
	state, err := lease.Read(ctx, e.Client, namespace)
	if err != nil {
		e.say(Fail, subject, kubectl(namespace, "get lease "+lease.Name), "%v", cause(ctx, err))
		return
	}
	alive := state.Held() && time.Now().Before(state.Until())
	switch {
	case alive:
		e.say(OK, subject, "", "%s is at work on the target", state)
	case state.Held():
		e.expired = state.String()
		e.say(Warn, subject, e.command("clean"), "%s held the target until %s and died", state, state.Until().UTC().Format(time.DateTime))
	}
	for _, kind := range fault.Kinds() {
		list := kind.NewList()
		if kind.Optional && (e.denied["/"+kind.Resource()] || e.denied[namespace+"/"+kind.Resource()]) {
			continue // without the right to list them none was put on
		}
		if !e.list(ctx, list, kind.Resource(), namespace, client.HasLabels{fault.RunLabel}) {
			return
		}
		for _, object := range fault.Objects(list) {
			run := object.GetLabels()[fault.RunLabel]
			if alive && (state.Run == "" || run == state.Run) {
				continue
			}
			hangs := ""
			if object.GetDeletionTimestamp() != nil {
				hangs = "; it was deleted, and hangs on its finalizer"
			}
			e.say(Warn, subject, e.command("clean"), "%s is a fault that run %s left%s", object.GetName(), run, hangs)
		}
	}
	residuals, err := chaosmesh.Residuals(ctx, e.Client, e.namespaces())
	if err != nil {
		e.say(Fail, subject, kubectl(namespace, "get podnetworkchaos"), "%v", cause(ctx, err))
		return
	}
	for _, residual := range residuals {
		if residual.Pod.Namespace == namespace {
			e.say(Fail, "pod "+residual.Pod.String(), residual.Remedy(), "%s; a new pod is free of it", residual.Text)
		}
	}
}
