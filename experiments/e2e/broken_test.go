package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const chaosMesh = "chaos-mesh"

// daemonAway makes the node one that chaos-daemon does not run on, until the
// test ends.
func (s *site) daemonAway(t *testing.T) {
	t.Helper()
	const label = "emco-chaos.test/nowhere"
	daemons := &appsv1.DaemonSet{}
	err := s.client.Get(t.Context(), client.ObjectKey{Namespace: chaosMesh, Name: "chaos-daemon"}, daemons)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil || daemons.Status.DesiredNumberScheduled != 1 {
		unavailable(t, fmt.Sprintf("the one chaos-daemon of a cluster of one node is to be taken away, and namespace %s has %d of them", chaosMesh, daemons.Status.DesiredNumberScheduled))
	}
	place := func(ctx context.Context, patch string) error {
		if err := s.client.Patch(ctx, daemons, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
			return fmt.Errorf("move chaos-daemon: %w", err)
		}
		return nil
	}
	settled := func(ready int32) func(context.Context) error {
		return func(ctx context.Context) error {
			var pods corev1.PodList
			if err := s.client.List(ctx, &pods, client.InNamespace(chaosMesh), client.MatchingLabels{"app.kubernetes.io/component": "chaos-daemon"}); err != nil {
				return err
			}
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(daemons), daemons); err != nil {
				return err
			}
			if len(pods.Items) != int(ready) || daemons.Status.NumberReady != ready {
				return fmt.Errorf("%d pods of chaos-daemon are there and %d ready", len(pods.Items), daemons.Status.NumberReady)
			}
			return nil
		}
	}
	t.Cleanup(func() {
		if err := place(context.WithoutCancel(t.Context()), fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{%q:null}}}}}`, label)); err != nil {
			t.Error(err)
		}
		limited, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		if err := poll(limited, settled(1)); err != nil {
			t.Error(err)
		}
	})
	if err := place(t.Context(), fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{%q:"true"}}}}}`, label)); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, settled(0))
}

// TestNoDaemon has an experiment with a partition run where chaos-daemon is
// not: it ends in Error in under 15 s, with a message that says what to do. What
// Chaos Mesh could not take off is told until chaos-daemon is back, and Chaos
// Mesh has tried again.
func TestNoDaemon(t *testing.T) {
	s := here(t)
	t.Run("away", s.noDaemon)
	eventually(t, 3*time.Minute, func(ctx context.Context) error {
		residuals, err := chaosmesh.Residuals(ctx, s.client, []string{emco})
		for _, residual := range residuals {
			err = errors.Join(err, residual)
		}
		return err
	})
	s.clean(t)
}

func (s *site) noDaemon(t *testing.T) {
	s.daemonAway(t)
	start := time.Now()
	output, code := s.chaos(t, "run", "dig-instantiate-in-flight", "--target", s.target, "--journal", artefact(t, "no-daemon.jsonl"))
	took := time.Since(start)
	if code != 4 || !strings.Contains(output, "0 passed, 0 failed, 0 inconclusive, 1 errors") {
		t.Errorf("exit code %d", code)
	}
	for _, word := range []string{"chaos-daemon does not run on node", "kubectl --namespace chaos-mesh get pods"} {
		if !strings.Contains(output, word) {
			t.Errorf("the message says nothing of %s", word)
		}
	}
	t.Logf("ended in Error and cleaned up after %v", took)
	if took >= 15*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, arguments := range [][]string{{"clean"}, {"doctor", "--no-inject"}} {
		output, code = s.chaos(t, append(arguments, "--target", s.target)...)
		if code != 4 || !strings.Contains(output, "kubectl --namespace emco delete pod orchestrator-") {
			t.Errorf("%s: exit code %d; it must name the pod that may still have a fault on it", arguments[0], code)
		}
	}
	if !strings.Contains(output, "chaos-daemon") {
		t.Error("doctor says nothing of chaos-daemon")
	}
}

// TestMistypedLabel has a target with a label that no pod has: everything
// that would select pods by it refuses before anything is created.
func TestMistypedLabel(t *testing.T) {
	s := here(t)
	text, err := os.ReadFile(s.target)
	if err != nil {
		t.Fatal(err)
	}
	mistyped := strings.Replace(string(text), "app: orchestrator", "app: orchestratr", 1)
	if mistyped == string(text) {
		t.Fatal("the target has no label app: orchestrator")
	}
	// Its files are named from its folder.
	file := s.target + ".mistyped.yaml"
	if err := os.WriteFile(file, []byte(mistyped), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	})
	created := s.watchFaults(t)
	for _, arguments := range [][]string{
		{"run", "dig-instantiate-in-flight", "--dry-run"},
		{"run", "dig-instantiate-in-flight", "--journal", artefact(t, "mistyped.jsonl")},
		{"doctor", "--no-inject"},
	} {
		output, code := s.chaos(t, append(arguments, "--target", file)...)
		if code != 4 || !strings.Contains(output, "app=orchestratr") || !strings.Contains(output, "app=orchestrator") {
			t.Errorf("%s: exit code %d; the message must name the label that is wrong and those there are", arguments[0], code)
		}
	}
	if names := created(); len(names) > 0 {
		t.Errorf("chaos objects were created: %v", names)
	}
	s.clean(t)
}
