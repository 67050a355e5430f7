package chaosmesh

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Pods are the pods of a namespace that have the labels, by name.
func Pods(ctx context.Context, reader client.Reader, namespace string, having map[string]string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := reader.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels(having)); err != nil {
		return nil, explain(err, "list", "pods", namespace)
	}
	byName(list.Items)
	return list.Items, nil
}

// Select returns the pods that Chaos Mesh selects for an object now: those of
// its selector, then those of a NetworkChaos's target. The error says why the
// driver would refuse the object because of them: on a target whose services are
// in those namespaces.
func Select(ctx context.Context, reader client.Reader, namespaces []string, object fault.Object) (selected []corev1.Pod, err error) {
	ends, err := endsOf(object, namespaces)
	if err == nil {
		_, err = LookUp(nil).resolve(ctx, object.DeepCopyObject().(fault.Object))
	}
	if err != nil {
		return nil, err
	}
	for _, end := range ends {
		all, err := end.list(ctx, reader)
		if err == nil {
			err = end.check(all)
		}
		if err != nil {
			return nil, err
		}
		selected = append(selected, end.of(all)...)
	}
	return selected, nil
}

func byName(pods []corev1.Pod) {
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
}

// end is one end of a fault of a kind: a selector of pods, with its matchers.
type end struct {
	fault.Selector
	spec                v1alpha1.PodSelectorSpec
	kind                fault.Kind
	labels, annotations labels.Selector
}

// endsOf are the ends of a fault, all of which must be in the namespaces. What the
// driver does not know of a selector it refuses: it could not say whom the fault hits.
func endsOf(object fault.Object, within []string) ([]end, error) {
	kind, err := fault.Find(fault.NameOf(object))
	if err != nil {
		return nil, err
	}
	if object.GetRemoteCluster() != "" {
		return nil, refused("spec.remoteCluster", "name the cluster itself in the target's driver",
			"is set, and the pods of that cluster are not watched")
	}
	var ends []end
	needed := []string{object.GetNamespace()}
	for _, selector := range fault.Selectors(object) {
		e := end{Selector: selector, spec: selector.Selector, kind: kind}
		if err := e.complete(); err != nil {
			return nil, err
		}
		ends, needed = append(ends, e), append(needed, e.namespaces()...)
	}
	for _, namespace := range needed {
		if !slices.Contains(within, namespace) {
			return nil, refused("metadata.namespace or spec.selector", "name one of those, or correct the target",
				"names namespace %q; the target's services are in %s", namespace, strings.Join(within, ", "))
		}
	}
	return ends, nil
}

// complete refuses what is not known of a selector, and makes its matchers.
func (e *end) complete() (err error) {
	const unknown, remedy = "is not known to emco-chaos", "select by namespaces and labelSelectors"
	e.annotations = labels.SelectorFromSet(e.spec.AnnotationSelectors)
	e.labels, err = metav1.LabelSelectorAsSelector(&metav1.LabelSelector{
		MatchLabels:      e.spec.LabelSelectors,
		MatchExpressions: e.spec.ExpressionSelectors,
	})
	switch {
	case e.Mode != v1alpha1.OneMode && e.Mode != v1alpha1.AllMode:
		return e.refuse("mode", "write all", "is %q, and which pods that hits cannot be known before", string(e.Mode))
	case len(e.spec.FieldSelectors) > 0:
		return e.refuse("selector.fieldSelectors", remedy, unknown)
	case len(e.spec.NodeSelectors) > 0:
		return e.refuse("selector.nodeSelectors", remedy, unknown)
	case err != nil:
		return e.refuse("selector", "correct the selector", "%v", err)
	}
	return nil
}

func (e end) refuse(field, remedy, format string, args ...any) error {
	return refused(e.Field+"."+field, remedy, format, args...)
}

func refused(field, remedy, format string, args ...any) error {
	return document.Problem{Field: field, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// namespaces are those that the end can select pods of.
func (e end) namespaces() []string {
	if len(e.spec.Pods) > 0 {
		return slices.Sorted(maps.Keys(e.spec.Pods))
	}
	return distinct(e.spec.Namespaces)
}

// list lists all pods of those namespaces.
func (e end) list(ctx context.Context, reader client.Reader) (all []corev1.Pod, err error) {
	for _, namespace := range e.namespaces() {
		there, err := Pods(ctx, reader, namespace, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, there...)
	}
	return all, nil
}

// matches reports whether Chaos Mesh would select the pod.
func (e end) matches(pod *corev1.Pod) bool {
	// Pods that are named are taken, whatever else the selector says.
	if len(e.spec.Pods) > 0 {
		return slices.Contains(e.spec.Pods[pod.Namespace], pod.Name)
	}
	return slices.Contains(e.spec.Namespaces, pod.Namespace) &&
		e.labels.Matches(labels.Set(pod.Labels)) &&
		e.annotations.Matches(labels.Set(pod.Annotations)) &&
		(len(e.spec.Nodes) == 0 || slices.Contains(e.spec.Nodes, pod.Spec.NodeName)) &&
		(len(e.spec.PodPhaseSelectors) == 0 || slices.Contains(e.spec.PodPhaseSelectors, string(pod.Status.Phase)))
}

// of are those of the pods that the end selects.
func (e end) of(pods []corev1.Pod) []corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod corev1.Pod) bool { return !e.matches(&pod) })
}

// check says why a fault must not be put on what the end selects of the pods.
func (e end) check(pods []corev1.Pod) error {
	selected := e.of(pods)
	switch {
	case len(selected) == 0:
		return e.nothing(pods)
	case e.Mode == v1alpha1.OneMode && len(selected) > 1:
		var names []string
		for _, pod := range selected {
			names = append(names, pod.Name)
		}
		return e.refuse("mode", "write all, or run the service with one replica",
			"is one, and %s each match: which of them is hit would be chance, and the others go on serving", strings.Join(names, " and "))
	}
	for _, pod := range selected {
		missing := slices.DeleteFunc(slices.Clone(e.Containers), func(name string) bool { return slices.Contains(containersOf(pod), name) })
		switch {
		case Ended(pod):
			return e.refuse("selector", deletePod(client.ObjectKeyFromObject(&pod)),
				"selects pod %s/%s, which has ended (%s): Chaos Mesh would try to hit it too", pod.Namespace, pod.Name, cmp.Or(pod.Status.Reason, string(pod.Status.Phase)))
		case !e.kind.Stops && pod.Status.Phase != corev1.PodRunning:
			return e.refuse("selector", describe(&pod), "selects pod %s/%s, which is %s: the fault needs a running pod", pod.Namespace, pod.Name, pod.Status.Phase)
		case e.kind.Network && pod.Spec.HostNetwork:
			return e.refuse("selector", "let the pod have a network of its own", "selects pod %s/%s, which has its node's network (hostNetwork): the fault would hit the node", pod.Namespace, pod.Name)
		case len(missing) > 0:
			return e.refuse("containerNames", "write one that it has", "names container %s, and pod %s/%s has %s", missing[0], pod.Namespace, pod.Name, strings.Join(containersOf(pod), ", "))
		}
	}
	return nil
}

// Ended reports whether a pod has ended for good, such as an evicted one, which stays until it is deleted.
func Ended(pod corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded
}

func containersOf(pod corev1.Pod) (names []string) {
	for _, container := range pod.Spec.Containers {
		names = append(names, container.Name)
	}
	return names
}

func deletePod(pod types.NamespacedName) string {
	return fmt.Sprintf("kubectl --namespace %s delete pod %s", pod.Namespace, pod.Name)
}

// describe is the remedy for a pod that is not as it should be.
func describe(pod *corev1.Pod) string {
	return fmt.Sprintf("see why: kubectl --namespace %s describe pod %s", pod.Namespace, pod.Name)
}

// nothing says that the end selects no pod, and which pods there are.
func (e end) nothing(pods []corev1.Pod) error {
	there := "there is no pod at all"
	if len(pods) > 0 {
		there = "the pods there have " + LabelsThere(pods, e.spec.LabelSelectors)
	}
	remedy := "correct the selector, or the labels of the target that it was made for"
	spaces := e.namespaces()
	if len(spaces) > 0 {
		remedy += fmt.Sprintf(" (kubectl --namespace %s get pods --show-labels)", spaces[0])
	}
	return e.refuse("selector", remedy, "selects no pod: none in namespace %s has %s; %s", strings.Join(spaces, " and "), e.wanted(), there)
}

// wanted says what a pod must have to be selected.
func (e end) wanted() string {
	if len(e.spec.Pods) > 0 {
		return "the name " + strings.Join(distinct(slices.Concat(slices.Collect(maps.Values(e.spec.Pods))...)), " or ")
	}
	var list []string
	for _, part := range []struct{ what, values string }{
		{"", e.labels.String()},
		{"annotation ", e.annotations.String()},
		{"node ", strings.Join(e.spec.Nodes, " or ")},
		{"phase ", strings.Join(e.spec.PodPhaseSelectors, " or ")},
	} {
		if part.values != "" {
			list = append(list, part.what+part.values)
		}
	}
	return strings.Join(list, ", ")
}

// listed is how many labels a message names.
const listed = 12

// LabelsThere lists what the pods of a namespace have for the labels that are
// asked for, or, when they have none of them, all that they have.
func LabelsThere(pods []corev1.Pod, asked map[string]string) string {
	var named, others []string
	for _, pod := range pods {
		for key, value := range pod.Labels {
			if _, is := asked[key]; is {
				named = append(named, key+"="+value)
			} else if !strings.HasSuffix(key, "-hash") && !strings.HasPrefix(key, "statefulset.kubernetes.io/") && !strings.HasPrefix(key, "apps.kubernetes.io/") {
				// What a controller adds to tell its own pods apart names no service.
				others = append(others, key+"="+value)
			}
		}
	}
	if len(named) == 0 {
		named = others
	}
	there := distinct(named)
	if len(there) == 0 {
		return "no labels"
	}
	if len(there) > listed {
		there = append(there[:listed], fmt.Sprintf("and %d more", len(there)-listed))
	}
	return strings.Join(there, ", ")
}
