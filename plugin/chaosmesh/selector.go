package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
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
// driver would refuse the object because of them.
func Select(ctx context.Context, reader client.Reader, object fault.Object) (selected []corev1.Pod, err error) {
	ends, err := endsOf(object)
	if err != nil {
		return nil, err
	}
	for _, end := range ends {
		var all []corev1.Pod
		for _, namespace := range end.namespaces() {
			pods, err := Pods(ctx, reader, namespace, nil)
			if err != nil {
				return nil, err
			}
			all = append(all, pods...)
		}
		if err := end.check(all); err != nil {
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

// end is one end of a fault: a selector of pods.
type end struct {
	field               string // where the selector stands in the object
	mode                v1alpha1.SelectorMode
	spec                v1alpha1.PodSelectorSpec
	running             bool // the fault is put on pods that run
	labels, annotations labels.Selector
}

// endsOf are the ends of a fault. What the driver does not know of a selector
// it refuses: it could not say whom the fault hits.
func endsOf(object fault.Object) ([]end, error) {
	kind, err := fault.Find(fault.NameOf(object))
	if err != nil {
		return nil, err
	}
	if object.GetRemoteCluster() != "" {
		return nil, &fault.FieldError{
			Field:   "spec.remoteCluster",
			Message: "is set, and the pods of that cluster are not watched",
			Remedy:  "name the cluster itself in the target's driver",
		}
	}
	var ends []end
	for _, selector := range fault.Selectors(object) {
		e := end{field: selector.Field, mode: selector.Mode, spec: selector.Selector, running: !kind.Stops}
		if err := e.complete(); err != nil {
			return nil, err
		}
		ends = append(ends, e)
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
	case e.mode != v1alpha1.OneMode && e.mode != v1alpha1.AllMode:
		return e.refuse("mode", "write all", "is %q, and which pods that hits cannot be known before", string(e.mode))
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
	return &fault.FieldError{Field: e.field + "." + field, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// namespaces are those that the end can select pods of.
func (e end) namespaces() []string {
	if len(e.spec.Pods) > 0 {
		return slices.Sorted(maps.Keys(e.spec.Pods))
	}
	return distinct(e.spec.Namespaces)
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
	case e.mode == v1alpha1.OneMode && len(selected) > 1:
		var names []string
		for _, pod := range selected {
			names = append(names, pod.Name)
		}
		return e.refuse("mode", "write all, or run the service with one replica",
			"is one, and %s each match: which of them is hit would be chance, and the others go on serving", strings.Join(names, " and "))
	}
	for _, pod := range selected {
		if e.running && pod.Status.Phase != corev1.PodRunning {
			return e.refuse("selector", describe(&pod), "selects pod %s/%s, which is %s: the fault needs a running pod", pod.Namespace, pod.Name, pod.Status.Phase)
		}
	}
	return nil
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

// announced is what a fault was announced to be on, when it was made.
type announced struct {
	pods map[types.NamespacedName]bool
	// peers are the networks that a NetworkChaos cuts the pods of a selector off
	// from, by the key that records have for the selector. Nil is no NetworkChaos.
	peers map[string][]string
}

// announce takes what the fault is to be on from its ends and the pods there.
func (d *Driver) announce(object fault.Object, ends []end) (a announced) {
	a.pods = map[types.NamespacedName]bool{}
	addresses := make([][]string, len(ends))
	for i, end := range ends {
		for _, pod := range end.of(d.podsOf(end)) {
			a.pods[client.ObjectKeyFromObject(&pod)] = true
			if pod.Status.PodIP != "" {
				addresses[i] = append(addresses[i], pod.Status.PodIP+"/32")
			}
		}
	}
	chaos, ok := object.(*v1alpha1.NetworkChaos)
	if !ok {
		return a
	}
	var external []string
	for _, target := range chaos.Spec.ExternalTargets {
		host, port := splitPort(target)
		if prefix, err := netip.ParsePrefix(host); err == nil {
			host = prefix.Masked().String()
		} else {
			host += "/32"
		}
		external = append(external, host+port)
	}
	a.peers = map[string][]string{
		".": distinct(slices.Concat(append(addresses[1:], external)...)), ".Target": distinct(slices.Concat(addresses[0], external)),
	}
	return a
}

// compare says how the pods that the fault is on differ from those announced.
func (a announced) compare(records []*v1alpha1.Record) error {
	var wrong []string
	hit := map[types.NamespacedName]bool{}
	for _, record := range records {
		hit[podOf(record)] = true
	}
	for pod := range hit {
		if !a.pods[pod] {
			wrong = append(wrong, fmt.Sprintf("it is on pod %s too, which its selector did not match when it was made", pod))
		}
	}
	for pod := range a.pods {
		if !hit[pod] {
			wrong = append(wrong, fmt.Sprintf("it is not on pod %s, which its selector matched when it was made", pod))
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return errors.New("Chaos Mesh has put it on other pods than announced: " + strings.Join(distinct(wrong), "; "))
}

// compareRules says how the rules that Chaos Mesh keeps for the pods of a
// NetworkChaos differ from what was announced. err is of a request, for which it
// gives up the lock.
func (f *activeFault) compareRules(records []*v1alpha1.Record) (difference, err error) {
	ctx, cancel := context.WithTimeout(f.driver.lifetime, readLimit)
	defer cancel()
	ruled := false
	for _, record := range records {
		pod := podOf(record)
		var kept v1alpha1.PodNetworkChaos
		if err := f.driver.unlocked(func() error { return f.driver.client.Get(ctx, pod, &kept) }); err != nil && !isGone(err) {
			return nil, explain(err, "get", podNetworkChaos, pod.Namespace)
		}
		for _, peers := range rulesOf(&kept.Spec, f.NamespacedName.String()) {
			ruled = true
			// A pod that both selectors match has rules of both.
			announced := slices.ContainsFunc(records, func(record *v1alpha1.Record) bool {
				return podOf(record) == pod && slices.Equal(peers, f.announced.peers[record.SelectorKey])
			})
			if !announced {
				on := cmp.Or(strings.Join(peers, ", "), "everything")
				return fmt.Errorf("there is a rule for the traffic of pod %s with %s, and it was to be with %s",
					pod, on, strings.Join(f.announced.peers[record.SelectorKey], ", ")), nil
			}
		}
	}
	if !ruled {
		return errors.New("it is injected, says Chaos Mesh, which keeps no rule of it for any of its pods"), nil
	}
	return nil, nil
}

// rulesOf are the rules of a source, each as the networks that it is on, sorted.
func rulesOf(spec *v1alpha1.PodNetworkChaosSpec, source string) (rules [][]string) {
	var networks func(names []string) []string
	networks = func(names []string) (list []string) {
		for _, set := range spec.IPSets {
			if set.Source == source && slices.Contains(names, set.Name) {
				list = append(append(list, set.Cidrs...), networks(set.SetNames)...)
				for _, one := range set.CidrAndPorts {
					list = append(list, fmt.Sprintf("%s:%d", one.Cidr, one.Port))
				}
			}
		}
		return list
	}
	for _, rule := range spec.Iptables {
		if rule.Source == source {
			rules = append(rules, distinct(networks(rule.IPSets)))
		}
	}
	for _, rule := range spec.TrafficControls {
		if rule.Source == source {
			rules = append(rules, distinct(networks([]string{rule.IPSet})))
		}
	}
	return rules
}

// splitPort splits :PORT off an external target that has one.
func splitPort(target string) (host, port string) {
	if host, port, err := net.SplitHostPort(target); err == nil {
		return host, ":" + port
	}
	return target, ""
}

// resolve puts addresses in place of the names among the external targets of the
// object, and says which. Chaos Mesh resolves names too, and of one without an
// IPv4 address makes a rule that stops all traffic.
func (d *Driver) resolve(ctx context.Context, object fault.Object) (told string, err error) {
	chaos, ok := object.(*v1alpha1.NetworkChaos)
	if !ok {
		return "", nil
	}
	if first, err := fault.Request(object); err != nil || first > 1 {
		return "", cmp.Or(err, error(&fault.FieldError{Field: "request", Message: "Chaos Mesh counts no requests", Remedy: "leave it out, or run it on a local cluster"}))
	}
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	var resolved []string
	for i, target := range chaos.Spec.ExternalTargets {
		host, port := splitPort(target)
		address := host
		if prefix, err := netip.ParsePrefix(host); err == nil {
			address = prefix.Addr().String()
		}
		var list []string
		all, err := d.options.LookUp(ctx, "ip", address)
		for _, one := range all {
			if one = one.Unmap(); one.Is4() {
				list = append(list, one.String()+port)
			}
		}
		message := fmt.Sprintf("names %s, which has no IPv4 address, only %v: Chaos Mesh knows no other, and would cut the pods off from everything", host, all)
		if err != nil {
			message = fmt.Sprintf("names %s, whose address is not found from here: %v", host, err)
		}
		switch _, err := netip.ParseAddr(address); {
		case len(list) == 0:
			return "", &fault.FieldError{
				Field: fmt.Sprintf("spec.externalTargets[%d]", i), Message: message,
				Remedy: "give an IPv4 address of it in the target, as address: under services",
			}
		case err == nil:
			resolved = append(resolved, target)
		default:
			told += fmt.Sprintf("; %s is %s", host, strings.Join(list, " and "))
			resolved = append(resolved, list...)
		}
	}
	chaos.Spec.ExternalTargets = resolved
	return told, nil
}
