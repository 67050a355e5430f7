package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// wedgeLimit is how long anything may take over what is wedged: naming it, a
// teardown, a clean.
const wedgeLimit = 15 * time.Second

// TestWedge: what EMCO refuses for good is named within seconds, and is in
// nobody's way: not in that of the next run, of clean, or of an uninstall.
func TestWedge(t *testing.T) {
	s := here(t)
	s.withBug(t, "orchestrator", "wedges")
	s.install(t, s.given())
	// A pod that is deleted is asked to stop, and the bug is of a service that is not.
	source, err := experiments.Read("dig-instantiate-in-flight")
	if err != nil {
		t.Fatal(err)
	}
	experiment := filepath.Join(t.TempDir(), "experiment.yaml")
	if err := os.WriteFile(experiment, []byte(strings.Replace(string(source.Data), "action: pod-kill", "action: container-kill", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	file := artefact(t, "wedge.jsonl")
	output, code := s.chaos(t, "run", "--file", experiment, "--attempts", "1", "--target", s.target, "--journal", file)
	if code != 1 || !strings.Contains(output, "is wedged: GET: 200 OK; status for ") {
		t.Fatalf("exit code %d", code)
	}
	verdict, torn := wedgeTimes(t, file)
	t.Logf("named %v after the return, and the teardown took %v", verdict, torn)
	if verdict > wedgeLimit || torn > wedgeLimit {
		t.Errorf("more than %v", wedgeLimit)
	}
	output, code = s.chaos(t, "run", "--file", experiment, "--attempts", "1", "--target", s.target, "--journal", artefact(t, "next.jsonl"))
	if code != 0 || !strings.Contains(output, "1 passed, 0 failed") {
		t.Errorf("the next run is hindered: exit code %d", code)
	}
	eventually(t, time.Minute, s.unheld)
	began := time.Now()
	output, code = s.chaos(t, "clean", "--target", s.target)
	t.Logf("clean took %v", time.Since(began))
	if lines := strings.Count(output, "\n"); code != 4 || lines != 1 || !strings.Contains(output, "wedged: ") || time.Since(began) > wedgeLimit {
		t.Errorf("exit code %d, and %d lines:\n%s", code, lines, output)
	}
	if output, code = s.chaos(t, "doctor", "--no-inject", "--target", s.target); !strings.Contains(output, "wedged: ") {
		t.Errorf("doctor says nothing of it: exit code %d", code)
	}
	began = time.Now()
	s.uninstall(t)
	t.Logf("helm uninstall took %v", time.Since(began))
}

// wedgeTimes are how long after the service's return the verdict came, and how
// long the teardown took.
func wedgeTimes(t *testing.T, file string) (verdict, torn time.Duration) {
	t.Helper()
	records := readJournal(t, file)
	at := func(is func(journal.Record) bool) time.Duration {
		found := slices.IndexFunc(records, is)
		if found < 0 {
			t.Fatal("the journal lacks the return, the verdict or the end")
		}
		return records[found].At
	}
	returned := at(func(r journal.Record) bool { return r.Step == "kill" && r.Event == plan.Ready })
	judged := at(func(r journal.Record) bool { return r.Kind == journal.Verdict })
	return judged - returned, at(func(r journal.Record) bool { return r.Kind == journal.End }) - judged
}

// withBug has a service of the emulated EMCO misbehave until the test ends. What
// runs could not remove meanwhile is removed then.
func (s *site) withBug(t *testing.T, service, bug string) {
	t.Helper()
	change := func(ctx context.Context, change func(arguments []string) []string) error {
		deployment := &appsv1.Deployment{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: emco, Name: service}, deployment); err != nil {
			return err
		}
		before := deployment.DeepCopy()
		container := &deployment.Spec.Template.Spec.Containers[0]
		if !slices.Equal(container.Command, []string{"./emco-emulator"}) {
			unavailable(t, fmt.Sprintf("%s is to misbehave as only the emulated EMCO can", service))
		}
		container.Args = change(container.Args)
		if err := s.client.Patch(ctx, deployment, client.MergeFrom(before)); err != nil {
			return err
		}
		return poll(ctx, func(ctx context.Context) error {
			found, err := s.pods(ctx, emco, deployment.Spec.Selector.MatchLabels)
			if err == nil && (len(found) != 1 || !slices.Equal(found[0].Spec.Containers[0].Args, container.Args) ||
				len(found[0].Status.ContainerStatuses) != 1 || !found[0].Status.ContainerStatuses[0].Ready) {
				err = errors.New("its pod is not there yet")
			}
			return err
		})
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
		defer cancel()
		err := change(ctx, func(arguments []string) []string { return arguments[:len(arguments)-2] })
		if err := errors.Join(err, s.removed(ctx)); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(during(t), time.Minute)
	defer cancel()
	if err := change(ctx, func(arguments []string) []string { return append(arguments, "--bug", bug) }); err != nil {
		t.Fatal(err)
	}
}
