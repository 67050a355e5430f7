package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

// strained is an experiment with the faults that leave a service running and
// change what its processes see or have.
const strained = `
apiVersion: emco-chaos/v1
kind: Experiment
metadata:
  name: strained-orchestrator
spec:
  title: An application is instantiated while the orchestrator has a wrong clock and little CPU time and memory
  given: {for: dig.instantiate}
  steps:
    clock:
      fault: {timeChaos: {service: orchestrator, offset: -10m}}
      until: [later.passed]
    processor:
      fault: {stressChaos: {action: cpu, service: orchestrator}}
      until: [later.passed]
    memory:
      fault: {stressChaos: {action: memory, service: orchestrator, size: 64MB}}
      until: [later.passed]
    instantiate:
      after: [clock.injected, processor.injected, memory.injected]
      call: dig.instantiate
      expect: accepted
    final:
      after: [instantiate.accepted]
      probe: {reached: dig.instantiate}
    later:
      after: [final.passed]
      delay: 10s
      probe: {available: orchestrator}
  evidence:
    - clock.injected < instantiate.started < later.passed < clock.removed
    - processor.injected < instantiate.started < later.passed < processor.removed
    - memory.injected < instantiate.started < later.passed < memory.removed
`

// condition is what the faults of the experiment strained change.
type condition struct {
	clock     time.Duration // of the service's clock, compared with ours
	processor float64       // seconds of CPU time that the container has used
	memory    float64       // bytes that it uses
}

// TestEffects runs an experiment whose faults stop nothing, and sees from
// outside that each has its effect while it is on, and none afterwards.
func TestEffects(t *testing.T) {
	s := here(t)
	file := filepath.Join(t.TempDir(), "strained.yaml")
	if err := os.WriteFile(file, []byte(strained), 0o600); err != nil {
		t.Fatal(err)
	}
	look := s.conditionOf(t, "orchestrator")
	before, err := look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	most := before
	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() {
		// What it says in the end is that it was told to end.
		_ = poll(ctx, func(ctx context.Context) error {
			now, err := look(ctx)
			if err != nil {
				return err
			}
			most.clock, most.processor, most.memory = min(most.clock, now.clock), max(most.processor, now.processor), max(most.memory, now.memory)
			return errors.New("look again")
		})
	})
	stop := func() {
		cancel()
		looking.Wait()
	}
	t.Cleanup(stop)
	journal := artefact(t, "strained.jsonl")
	_, code := s.chaos(t, "run", "-f", file, "--target", s.target, "--journal", journal)
	stop()
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.evident(t, journal, 1)
	t.Logf("before %+v, during %+v", before, most)
	const size = 64e6
	if most.clock > -9*time.Minute {
		t.Errorf("the clock was never 10 minutes behind: %v at most", most.clock)
	}
	if used := most.processor - before.processor; used < 0.5 {
		t.Errorf("the container used %.2f s of CPU time", used)
	}
	if used := most.memory - before.memory; used < size/2 {
		t.Errorf("the container used %.0f bytes more", used)
	}
	earlier, at := most, time.Now()
	eventually(t, time.Minute, func(ctx context.Context) error {
		now, err := look(ctx)
		if err != nil {
			return err
		}
		if time.Since(at) < time.Second {
			return errors.New("too early to tell CPU time")
		}
		used := now.processor - earlier.processor
		earlier, at = now, time.Now()
		if now.clock.Abs() > time.Minute || used > 0.02 || now.memory > before.memory+size/2 {
			return fmt.Errorf("an effect stays: %+v, and %.3f s of CPU time since the last look; before it was %+v", now, used, before)
		}
		return nil
	})
	s.clean(t)
}

// conditionOf returns what looks at a service of EMCO: it asks the service,
// and its node's kubelet.
func (s *site) conditionOf(t *testing.T, service string) (look func(context.Context) (condition, error)) {
	t.Helper()
	read, problems := target.Read(s.target)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	found, err := s.pods(t.Context(), emco, read.Services[service].Labels)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d pods of %s: %v", len(found), service, err)
	}
	clients, err := kubernetes.NewForConfig(s.config)
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context) (now condition, err error) {
		if now.clock, err = offset(ctx, read.Services[service].URL); err != nil {
			return condition{}, err
		}
		metrics, err := clients.CoreV1().RESTClient().Get().Resource("nodes").Name(found[0].Spec.NodeName).
			SubResource("proxy").Suffix("metrics/resource").Do(ctx).Raw()
		if err != nil {
			return condition{}, fmt.Errorf("ask the kubelet: %w", err)
		}
		for name, value := range map[string]*float64{
			"container_cpu_usage_seconds_total": &now.processor, "container_memory_working_set_bytes": &now.memory,
		} {
			if *value, err = metric(string(metrics), name, &found[0]); err != nil {
				return condition{}, err
			}
		}
		return now, nil
	}
}

// offset is by how much a server's clock differs from ours.
func offset(ctx context.Context, url string) (time.Duration, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0, fmt.Errorf("read the answer's date: %w", err)
	}
	return time.Until(date), nil
}

// metric is a kubelet's value for the first container of a pod.
func metric(text, name string, of *corev1.Pod) (value float64, err error) {
	start := fmt.Sprintf("%s{container=%q,namespace=%q,pod=%q} ", name, of.Spec.Containers[0].Name, of.Namespace, of.Name)
	_, rest, found := strings.Cut(text, start)
	if !found {
		return 0, fmt.Errorf("the kubelet says nothing of %s", start)
	}
	_, err = fmt.Sscan(rest, &value)
	return value, err
}
