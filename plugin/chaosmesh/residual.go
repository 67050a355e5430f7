package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// residualFault is a fault that may still be on pods, its object being gone.
type residualFault struct {
	err  error
	pods map[types.UID]bool
}

// residual says that the fault may still be on, its object having been freed
// before Chaos Mesh had taken it off. The driver remembers that for as long as
// the pods are there. Chaos Mesh lets an object go only when the fault is off:
// that it is not is believed of one that was freed by force, or whose last
// state was seen.
func (r *removal) residual(context.Context) error {
	left := residualFault{pods: map[types.UID]bool{}}
	var why, remedies []string
	for _, reason := range []struct {
		text string
		is   func(*v1alpha1.Record) bool
	}{
		{"Chaos Mesh has not taken the fault off: it may still be on", isStillInjected},
		{"its rules stay with its pods: Chaos Mesh may yet carry them out, and no duration takes them off", func(record *v1alpha1.Record) bool {
			return record.Phase != v1alpha1.NotInjected && slices.Contains(r.ruled, podOf(record))
		}},
	} {
		for _, record := range r.status().Experiment.Records {
			pod := r.driver.podNamed(podOf(record))
			if pod == nil || !reason.is(record) || r.latest.IsOneShot() || !r.forced && !r.final {
				continue
			}
			left.pods[pod.UID] = true
			why = append(why, reason.text)
			remedies = append(remedies, deletePod(podOf(record)))
		}
	}
	if len(why) == 0 {
		return r.driver.residual[r.identity].err
	}
	left.err = fmt.Errorf("its object is gone, and %s; a new pod is free of it: %s",
		strings.Join(slices.Compact(why), "; and "), strings.Join(distinct(remedies), "; "))
	r.driver.residual[r.identity] = left
	return left.err
}

// residualFaults says which faults may still be on, their objects being gone.
func (d *Driver) residualFaults() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for object, left := range d.residual {
		errs = append(errs, fmt.Errorf("%s was removed: %w", object, left.err))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// dropRules takes the rules of a NetworkChaos out of the PodNetworkChaos that
// Chaos Mesh keeps for each pod. A rule that the pod's node cannot carry out
// stays there, whatever becomes of the NetworkChaos, and every later fault on
// the pod's network fails because of it. Once it is gone Chaos Mesh comes to an
// end with the NetworkChaos, too.
func (r *removal) dropRules(ctx context.Context) error {
	var done []types.NamespacedName
	var first error
	r.ruled = nil
	for _, record := range r.status().Experiment.Records {
		pod := podOf(record)
		if record.Phase == v1alpha1.NotInjected || slices.Contains(done, pod) {
			continue
		}
		done = append(done, pod)
		if err := r.driver.unlocked(func() error {
			return retry.RetryOnConflict(retry.DefaultRetry, func() error { return r.dropRulesOf(ctx, pod) })
		}); err != nil {
			r.ruled = append(r.ruled, pod)
			first = cmp.Or(first, err)
		}
	}
	if first != nil {
		return fmt.Errorf("its rules stay with its pods, and Chaos Mesh may fail to put another fault on their network until they are new: %w", first)
	}
	r.dropped = time.Now()
	return nil
}

func (r *removal) dropRulesOf(ctx context.Context, pod types.NamespacedName) error {
	var kept v1alpha1.PodNetworkChaos
	if err := r.driver.client.Get(ctx, pod, &kept); isGone(err) {
		return nil
	} else if err != nil {
		return explain(err, "get", podNetworkChaos, pod.Namespace)
	}
	before := kept.DeepCopy()
	source := r.NamespacedName.String()
	spec := &kept.Spec
	spec.IPSets = slices.DeleteFunc(spec.IPSets, func(rule v1alpha1.RawIPSet) bool { return rule.Source == source })
	spec.Iptables = slices.DeleteFunc(spec.Iptables, func(rule v1alpha1.RawIptables) bool { return rule.Source == source })
	spec.TrafficControls = slices.DeleteFunc(spec.TrafficControls, func(rule v1alpha1.RawTrafficControl) bool { return rule.Source == source })
	err := r.driver.client.Patch(ctx, &kept, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsConflict(err) {
		return explain(err, "patch", podNetworkChaos, pod.Namespace)
	}
	return err
}

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
func (r Residual) Remedy() string { return deletePod(r.Pod) }

// Residuals finds the residual faults on the network of the pods of namespaces:
// rules whose NetworkChaos is gone, also of other tools, and the end of a fault that
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
		case one.Status.ObservedGeneration < one.Generation: // Why it failed before says nothing of what it has yet to do.
			text = "Chaos Mesh has yet to take a fault off its network, which may still be on"
		case one.Status.FailedMessage != "":
			text = "Chaos Mesh could not take a fault off its network, which may still be on: " + strings.TrimSpace(one.Status.FailedMessage)
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
