package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/plugin/lease"
)

// deadLimit is how long after the death of its run a chaos object may be
// there.
const deadLimit = 60 * time.Second

// holding waits until a run holds a call: its partition is injected. start
// starts the run once its partition is watched for.
func (s *site) holding(t *testing.T, start func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(during(t), 2*time.Minute)
	defer cancel()
	changes := s.watch(ctx, t, &v1alpha1.NetworkChaosList{}, client.InNamespace(emco), client.HasLabels{runLabel})
	defer changes.Stop()
	start()
	for change := range changes.ResultChan() {
		chaos, ok := change.Object.(*v1alpha1.NetworkChaos)
		if !ok {
			t.Fatalf("watch the partition: %+v", change.Object)
		}
		if change.Type == watch.Deleted || chaos.Labels[runLabel] == leftRun {
			continue
		}
		for _, condition := range chaos.Status.Conditions {
			if condition.Type == v1alpha1.ConditionAllInjected && condition.Status == "True" {
				return
			}
		}
	}
	t.Fatalf("no call was held: %v", context.Cause(ctx))
}

// recovered checks that no chaos object of the dead run is left in time, and
// that EMCO works: an experiment passes on it.
func (s *site) recovered(t *testing.T, died time.Time) {
	t.Helper()
	ctx, cancel := context.WithDeadline(during(t), died.Add(deadLimit))
	defer cancel()
	if err := poll(ctx, s.faultless); err != nil {
		t.Fatalf("%v after the death of the run: %v", time.Since(died), err)
	}
	t.Logf("no chaos object %v after the death of the run", time.Since(died))
	// Its resources take longer to go than its faults, and whoever sweeps
	// holds the target until then.
	eventually(t, 2*time.Minute, s.unheld)
	s.clean(t)
	output, code := s.chaos(t, "run", "logical-cloud-instantiate-status-lost", "--target", s.target, "--journal", artefact(t, "after.jsonl"))
	if code != 0 || !strings.Contains(output, "1 passed, 0 failed, 0 inconclusive, 0 errors") {
		t.Errorf("EMCO does not work: exit code %d", code)
	}
}

// slow is an experiment that holds a call for long enough to be killed.
var slow = []string{"dig-instantiate-in-flight", "--set", "delay=15s"}

// killedCommand kills a command line's run in the middle of a hold: the
// controller sweeps up.
func (s *site) killedCommand(t *testing.T) {
	// It is killed by its pid alone: what it started must see for itself that
	// it is gone.
	command := s.command(during(t), "emco-chaos", append([]string{"run", "--target", s.target, "--journal", artefact(t, "killed.jsonl")}, slow...)...)
	var printed bytes.Buffer
	command.Stdout, command.Stderr = &printed, &printed
	t.Cleanup(func() { t.Logf("the killed command\n%s", printed.String()) })
	s.holding(t, func() {
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
	})
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	if err := command.Wait(); err == nil {
		t.Fatal("it was not killed")
	}
	if err := s.faultless(t.Context()); err == nil {
		t.Fatal("the run left no fault: there is nothing to see")
	}
	s.recovered(t, died)
}

// process is a process of a pod's, by its number on this machine, which is the
// node.
type process struct {
	pod *corev1.Pod
	pid int
}

// controllerProcess is the process of the controller that works.
func (s *site) controllerProcess(t *testing.T) process {
	t.Helper()
	pod := &corev1.Pod{}
	// One that has just begun may wait for its turn.
	eventually(t, time.Minute, func(ctx context.Context) error {
		works := &coordinationv1.Lease{}
		if err := s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: lease.Leader}, works); err != nil {
			return err
		}
		name, _, _ := strings.Cut(ptr.Deref(works.Spec.HolderIdentity, ""), "_")
		return s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: name}, pod)
	})
	return processOf(t, pod, "\x00controller\x00")
}

// processOf finds the process of a pod whose command line has the text.
func processOf(t *testing.T, pod *corev1.Pod, text string) process {
	t.Helper()
	_, container, _ := strings.Cut(pod.Status.ContainerStatuses[0].ContainerID, "://")
	groups, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range groups {
		of, err := os.ReadFile(group)
		if err != nil {
			continue // it has ended meanwhile
		}
		folder := filepath.Dir(group)
		command, err := os.ReadFile(filepath.Join(folder, "cmdline"))
		// Others, such as the plugin's, can be in the same container.
		if err == nil && container != "" && strings.Contains(string(of), container) && strings.Contains(string(command), text) {
			pid, err := strconv.Atoi(filepath.Base(folder))
			if err != nil {
				t.Fatal(err)
			}
			return process{pod, pid}
		}
	}
	unavailable(t, fmt.Sprintf("a process of pod %s is to be killed, and container %s has none here: its node must be this machine, and we root on it", pod.Name, container))
	return process{}
}
