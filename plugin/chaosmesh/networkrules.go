package chaosmesh

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

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
