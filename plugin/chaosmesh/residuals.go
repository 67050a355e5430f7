package chaosmesh

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// Residual is a residual fault on the network of a pod, as what Chaos Mesh keeps
// for the pod shows.
type Residual struct {
	Pod  types.NamespacedName
	Text string
}

func (r Residual) Error() string {
	return fmt.Sprintf("pod %s: %s; a new pod is free of it: %s", r.Pod, r.Text, r.Remedy())
}

// Remedy is the command that ends it.
func (r Residual) Remedy() string {
	return fmt.Sprintf("kubectl --namespace %s delete pod %s", r.Pod.Namespace, r.Pod.Name)
}

// Residuals finds the residual faults on the network of the pods of namespaces:
// rules whose NetworkChaos is gone, whoever made it, and the end of a fault that
// was not carried out.
func Residuals(ctx context.Context, reader client.Reader, namespaces []string) (found []Residual, err error) {
	var kept v1alpha1.PodNetworkChaosList
	var made v1alpha1.NetworkChaosList
	var there corev1.PodList
	sources, running := map[string]bool{}, map[types.NamespacedName]types.UID{}
	var all []v1alpha1.PodNetworkChaos
	for _, namespace := range namespaces {
		for _, one := range []struct {
			resource string
			list     client.ObjectList
		}{{podNetworkChaos, &kept}, {resource(fault.NetworkChaos), &made}, {pods, &there}} {
			if err := reader.List(ctx, one.list, client.InNamespace(namespace)); err != nil {
				return nil, explain(err, "list", one.resource, namespace)
			}
		}
		all = append(all, kept.Items...)
		for _, object := range made.Items {
			sources[object.Namespace+"/"+object.Name] = true
		}
		for _, pod := range there.Items {
			running[client.ObjectKeyFromObject(&pod)] = pod.UID
		}
	}
	for _, one := range all {
		name := client.ObjectKeyFromObject(&one)
		uid, is := running[name]
		if !is || slices.ContainsFunc(one.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.UID != uid }) {
			continue // it goes with its pod
		}
		of := sourcesOf(&one.Spec)
		gone := slices.DeleteFunc(slices.Clone(of), func(source string) bool {
			namespace, _, _ := strings.Cut(source, "/")
			return sources[source] || !slices.Contains(namespaces, namespace)
		})
		text := ""
		switch {
		case len(gone) > 0:
			text = "Chaos Mesh keeps rules for its network whose NetworkChaos is gone: " + strings.Join(gone, ", ")
		case len(of) > 0: // by an object that is there
		case one.Status.FailedMessage != "":
			text = "Chaos Mesh could not take a fault off its network, which may still be on: " + strings.TrimSpace(one.Status.FailedMessage)
		case one.Status.ObservedGeneration < one.Generation:
			text = "Chaos Mesh has yet to take a fault off its network, which may still be on"
		}
		if text != "" {
			found = append(found, Residual{name, text})
		}
	}
	return found, nil
}

// sourcesOf are the NetworkChaos objects that rules are of, as namespace/name.
func sourcesOf(spec *v1alpha1.PodNetworkChaosSpec) (sources []string) {
	for _, rule := range spec.IPSets {
		sources = append(sources, rule.Source)
	}
	for _, rule := range spec.Iptables {
		sources = append(sources, rule.Source)
	}
	for _, rule := range spec.TrafficControls {
		sources = append(sources, rule.Source)
	}
	return distinct(sources)
}
