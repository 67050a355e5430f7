package doctor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
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
		switch {
		case pod.DeletionTimestamp != nil: // It is no fault's to select for long.
		case chaosmesh.Ended(pod):
			e.say(Fail, name, kubectl(pod.Namespace, "delete pod "+pod.Name),
				"pod %s has ended (%s) and is still there: every fault would select it, and is refused", pod.Name, cmp.Or(pod.Status.Reason, string(pod.Status.Phase)))
		default:
			e.pods[name] = append(e.pods[name], podOf(pod))
			if pod.Spec.HostNetwork {
				e.say(Warn, name, "let it have a network of its own", "pod %s has its node's network (hostNetwork): faults on the network would hit the node, and are refused", pod.Name)
			}
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
	if _, seen.Ready = chaosmesh.Since(&pod, corev1.PodReady); !seen.Ready {
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

// checkEndpoints looks for the Services that lead to the pods of each service
// in a namespace, by their EndpointSlices: through them callers see it go and
// come back.
func checkEndpoints(ctx context.Context, e *examination, namespace string) {
	list := &discoveryv1.EndpointSliceList{}
	if !e.list(ctx, list, "endpointslices", namespace) {
		return
	}
	for _, name := range e.selecting() {
		if e.Target.Services[name].Namespace != namespace || len(e.pods[name]) == 0 {
			continue
		}
		// leading are the Services that lead to its pods, and whether one of these is ready.
		leading := map[string]bool{}
		for _, slice := range list.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.TargetRef != nil && endpoint.TargetRef.Kind == "Pod" &&
					slices.ContainsFunc(e.pods[name], func(pod Pod) bool { return pod.Name == endpoint.TargetRef.Name }) {
					service := slice.Labels[discoveryv1.LabelServiceName]
					leading[service] = leading[service] || endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
				}
			}
		}
		names := slices.Sorted(maps.Keys(leading))
		ready := slices.DeleteFunc(slices.Clone(names), func(service string) bool { return !leading[service] })
		switch {
		case len(ready) > 0:
			e.say(OK, name, "", "behind the Service %s", strings.Join(ready, ", "))
		case len(names) > 0:
			e.say(Warn, name, kubectl(namespace, "get endpointslices -l "+discoveryv1.LabelServiceName+"="+names[0]),
				"the Service %s leads to its pods, and none of them is ready", strings.Join(names, ", "))
		default:
			e.say(Warn, name, kubectl(namespace, "get services -o wide"),
				"no Service leads to its pods: its callers reach it some other way")
		}
	}
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

// outside are the services without pods that faults cut off by their address.
func (e *examination) outside() []string {
	return e.services(func(service target.Service) bool { return !service.HasPods() && service.Address != "" })
}

// checkName finds the addresses by which a fault would cut off a service outside the cluster.
func checkName(ctx context.Context, e *examination, name string) {
	host := e.Target.Services[name].Host()
	addresses, err := e.LookUp.IPv4(ctx, host)
	if err != nil {
		e.say(Warn, name, "give an IPv4 address of it, as services."+name+".address of the target file", "faults that cut it off are refused: it is %v", err)
		return
	}
	e.say(OK, name, "", "%s is %s", host, strings.Join(addresses, " and "))
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

// AnyAnswer asks a service over HTTP: any answer is a sign that it is there, a redirect too.
func AnyAnswer(ctx context.Context, url string) (string, error) {
	response, err := get(ctx, url)
	if err != nil {
		return "", err
	}
	return "answers " + response.Status, response.Body.Close()
}

// get asks over HTTP. Unlike a client, a transport follows no redirect.
func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
}
