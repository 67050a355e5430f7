package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// leftRun is the run whose fault is left.
const leftRun = "rleft"

// leaveFault puts a fault on EMCO as a run leaves it that could not remove it
// and gave the target back all the same. What it returns sees that it is gone.
func (s *site) leaveFault(t *testing.T) (gone func(*testing.T)) {
	t.Helper()
	duration := (10 * time.Minute).String()
	left := &v1alpha1.NetworkChaos{ObjectMeta: metav1.ObjectMeta{
		Namespace: emco, Name: leftRun + "-1-hold", Labels: map[string]string{runLabel: leftRun},
	}}
	left.Spec.Action, left.Spec.Direction, left.Spec.Duration = v1alpha1.PartitionAction, v1alpha1.To, &duration
	// An address for documentation (RFC 5737): nobody is there.
	left.Spec.ExternalTargets = []string{"192.0.2.1"}
	left.Spec.PodSelector = v1alpha1.PodSelector{Mode: v1alpha1.AllMode}
	left.Spec.PodSelector.Selector.Namespaces = []string{emco}
	left.Spec.PodSelector.Selector.LabelSelectors = map[string]string{"app": "rsync"}
	s.make(t, left)
	key := client.ObjectKeyFromObject(left)
	eventually(t, time.Minute, func(ctx context.Context) error {
		if err := s.client.Get(ctx, key, left); err != nil {
			return err
		}
		for _, condition := range left.Status.Conditions {
			if condition.Type == v1alpha1.ConditionAllInjected && condition.Status == "True" {
				return nil
			}
		}
		return fmt.Errorf("the fault is not on: %+v", left.Status.Conditions)
	})
	return func(t *testing.T) {
		t.Helper()
		if err := s.client.Get(t.Context(), key, left); !apierrors.IsNotFound(err) {
			t.Errorf("a run began on the fault that another had left (%v)", err)
		}
	}
}
