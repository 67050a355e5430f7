package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readiness changes when the pods of an EMCO service are asked whether they
// are ready, until the test ends, and waits until they are.
func (s *site) readiness(t *testing.T, service string, delay, period int32) {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := s.client.Get(t.Context(), client.ObjectKey{Namespace: emco, Name: service}, deployment); err != nil {
		t.Fatal(err)
	}
	probe := deployment.Spec.Template.Spec.Containers[0].ReadinessProbe
	if probe == nil {
		unavailable(t, service+" of this EMCO has no readiness probe to be changed")
	}
	before := [2]int32{probe.InitialDelaySeconds, probe.PeriodSeconds}
	set := func(ctx context.Context, delay, period int32) error {
		// The deployment's controller writes too.
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
				return err
			}
			// One at a time: two would be hit by the fault of the next run.
			none, one := intstr.FromInt32(0), intstr.FromInt32(1)
			deployment.Spec.Strategy = appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &none, MaxUnavailable: &one},
			}
			probe := deployment.Spec.Template.Spec.Containers[0].ReadinessProbe
			probe.InitialDelaySeconds, probe.PeriodSeconds = delay, period
			return s.client.Update(ctx, deployment)
		})
		if err != nil {
			return fmt.Errorf("change the readiness of %s: %w", service, err)
		}
		return s.rolledOut(ctx, deployment)
	}
	t.Cleanup(func() {
		if err := set(context.WithoutCancel(t.Context()), before[0], before[1]); err != nil {
			t.Error(err)
		}
	})
	if err := set(during(t), delay, period); err != nil {
		t.Fatal(err)
	}
	// The new pod is ready, and the way to it is made a little later.
	eventually(t, time.Minute, func(context.Context) error {
		if _, code := s.chaos(t, "doctor", "--no-inject", "--target", s.target); code != 0 {
			return fmt.Errorf("doctor does not find everything in order: exit code %d", code)
		}
		return nil
	})
}

// rolledOut waits until a deployment's one pod is that of its last change, and
// ready.
func (s *site) rolledOut(ctx context.Context, deployment *appsv1.Deployment) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	return poll(ctx, func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
			return err
		}
		pods, err := s.pods(ctx, emco, deployment.Spec.Selector.MatchLabels)
		if err != nil {
			return err
		}
		status := deployment.Status
		if status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas != 1 || status.ReadyReplicas != 1 || len(pods) != 1 {
			return fmt.Errorf("%s is not rolled out: %+v, %d pods", deployment.Name, status, len(pods))
		}
		return nil
	})
}

// TestOfficialReadiness runs an experiment for each kind of fault on an EMCO
// that is asked whether it is ready when EMCO's own chart asks: after 10 s,
// and then every 30 s. A kill is then an outage of half a minute and more.
func TestOfficialReadiness(t *testing.T) {
	s := here(t)
	s.readiness(t, "orchestrator", 10, 30)
	for _, test := range []struct{ faults, experiment string }{
		{"partition and pod-kill", "dig-instantiate-in-flight"},
		{"pod-failure", "service-refused"},
	} {
		t.Run(test.experiment, func(t *testing.T) {
			file := artefact(t, "official.jsonl")
			output, code := s.chaos(t, "run", test.experiment, "--target", s.target, "--journal", file)
			if code != 0 || !strings.Contains(output, "1 passed, 0 failed, 0 inconclusive, 0 errors") {
				t.Errorf("%s: exit code %d", test.faults, code)
			}
			s.evident(t, file, 1)
		})
	}
	s.clean(t)
}
