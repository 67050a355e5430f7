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

// forget takes the rules of a NetworkChaos out of what Chaos Mesh keeps for
// each pod. A rule that the pod's node cannot carry out stays there, whatever
// becomes of the NetworkChaos, and every later fault on the pod's network fails
// because of it. Once it is gone Chaos Mesh comes to an end with the
// NetworkChaos, too.
func (r *removal) forget(ctx context.Context) error {
	var done []types.NamespacedName
	var first error
	r.ruled = nil
	for _, record := range status(r.last).Experiment.Records {
		namespace, name := podOf(record)
		at := types.NamespacedName{Namespace: namespace, Name: name}
		if record.Phase == v1alpha1.NotInjected || slices.Contains(done, at) {
			continue
		}
		done = append(done, at)
		if err := retry.RetryOnConflict(retry.DefaultRetry, func() error { return r.forgetOn(ctx, at) }); err != nil {
			r.ruled = append(r.ruled, at)
			first = cmp.Or(first, err)
		}
	}
	if first != nil {
		return fmt.Errorf("its rules stay with its pods, and Chaos Mesh may fail to put another fault on their network until they are new: %w", first)
	}
	return nil
}

func (r *removal) forgetOn(ctx context.Context, pod types.NamespacedName) error {
	var kept v1alpha1.PodNetworkChaos
	err := r.driver.client.Get(ctx, pod, &kept)
	switch {
	case apierrors.IsNotFound(err) && !isNoResource(err):
		return nil
	case err != nil:
		return explain(err, "get", podNetworkChaos, pod.Namespace)
	}
	before := kept.DeepCopy()
	source := r.namespace + "/" + r.name
	spec := &kept.Spec
	spec.IPSets = slices.DeleteFunc(spec.IPSets, func(rule v1alpha1.RawIPSet) bool { return rule.Source == source })
	spec.Iptables = slices.DeleteFunc(spec.Iptables, func(rule v1alpha1.RawIptables) bool { return rule.Source == source })
	spec.TrafficControls = slices.DeleteFunc(spec.TrafficControls, func(rule v1alpha1.RawTrafficControl) bool { return rule.Source == source })
	err = r.driver.client.Patch(ctx, &kept, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsConflict(err) {
		return explain(err, "patch", podNetworkChaos, pod.Namespace)
	}
	return err
}
