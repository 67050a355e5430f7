package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	runs "github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

const (
	// killsVariable is how many runs TestKills kills something during, and
	// seedVariable what the moments and the victims follow from.
	killsVariable = "EMCO_CHAOS_E2E_KILLS"
	seedVariable  = "EMCO_CHAOS_E2E_SEED"
	// longestLife bounds the random moment of a kill: most runs take as long.
	longestLife = 8 * time.Second
)

// victims are what a kill can hit, in turn: each a list of processes that die at
// once. The command and the controller have the run under way.
var victims = [][]string{{"command"}, {"controller"}, {meshController}, {"command", meshController}, {"controller", meshController}}

// meshController is the process of Chaos Mesh that puts faults on and takes them off.
const meshController = "chaos-controller-manager"

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number from 1 on", variable, text)
	}
	return n
}

// TestKills: whatever dies at whatever moment of a run, no process and no fault
// is left, what the run made goes, and no verdict is one that cannot be known.
func TestKills(t *testing.T) {
	s := here(t)
	count, seed := number(t, killsVariable, 3), number(t, seedVariable, 1)
	s.install(t, s.given())
	names := experiments.Names()
	verdicts, times := map[string]int{}, []time.Duration{}
	for i := range count {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
		dying := victims[i%len(victims)]
		inside := slices.Contains(dying, "controller") || !slices.Contains(dying, "command") && random.IntN(2) == 0
		experiment, after := names[random.IntN(len(names))], time.Duration(random.Int64N(int64(longestLife)))
		t.Run(fmt.Sprintf("%d %s", i, strings.Join(dying, " and ")), func(t *testing.T) {
			said, clean := s.killAt(t, fmt.Sprintf("kill-%d", i), experiment, dying, inside, after)
			verdicts[strings.Join(dying, " and ")+": "+said]++
			times = append(times, clean)
		})
	}
	slices.Sort(times)
	for _, key := range slices.Sorted(maps.Keys(verdicts)) {
		t.Logf("%3d %s", verdicts[key], key)
	}
	if len(times) > 0 {
		t.Logf("clean after %v at the median, %v at most", times[len(times)/2], times[len(times)-1])
	}
	s.recovered(t, time.Now())
}

// made is what came of a run, as it is told.
type made struct {
	verdict, reason string
	began, ended    time.Time
	// proven says that it has evidence, all of which holds.
	proven bool
}

// killAt kills during a run of an experiment, a time after its start. It returns
// what came of the run, and how long it took until all was clean.
func (s *site) killAt(t *testing.T, name, experiment string, dying []string, inside bool, after time.Duration) (string, time.Duration) {
	pods := s.emcoPods(t)
	hit := map[string]process{}
	if slices.Contains(dying, "controller") {
		hit["controller"] = s.controllerProcess(t)
	}
	if slices.Contains(dying, meshController) {
		found, err := s.pods(t.Context(), chaosMesh, map[string]string{"app.kubernetes.io/component": "controller-manager"})
		if err != nil || len(found) != 1 {
			t.Fatalf("%d pods of %s: %v", len(found), meshController, err)
		}
		hit[meshController] = processOf(t, &found[0], meshController)
	}
	file := artefact(t, "journal.jsonl")
	ended := make(chan struct{})
	if inside {
		close(ended)
		s.apply(t, manifest(name, experiment, ""))
	} else {
		command := s.command(during(t), "emco-chaos", "run", experiment, "--attempts", "1", "--target", s.target, "--journal", file)
		var printed bytes.Buffer
		command.Stdout, command.Stderr = &printed, &printed
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(dying, "command") {
			hit["command"] = process{pid: command.Process.Pid}
		}
		go func() {
			defer close(ended)
			_ = command.Wait() // what came of it is in its journal
		}()
		t.Cleanup(func() { <-ended; t.Logf("the command\n%s", printed.String()) })
	}
	// The moment is the point, and nothing is waited for.
	time.Sleep(after)
	left := map[int]string{}
	for _, one := range hit {
		maps.Copy(left, family(one.pid))
	}
	died := time.Now()
	for _, what := range dying {
		switch err := syscall.Kill(hit[what].pid, syscall.SIGKILL); {
		case errors.Is(err, syscall.ESRCH) && what == "command":
			t.Logf("%s had ended before %v", experiment, after)
		case err != nil:
			t.Fatalf("kill %s: %v", what, err)
		default:
			t.Logf("%v after the start of %s: killed %s", after, experiment, what)
		}
	}
	runner := !slices.Equal(dying, []string{meshController})
	if runner {
		s.faultlessFrom(t, died)
	}
	var told made
	if inside {
		told = ofRun(s.finished(t, name, runLimit))
	} else {
		select {
		case <-ended:
		case <-time.After(runLimit):
			t.Fatal("the command has not ended")
		}
		told = ofJournal(t, file)
	}
	t.Logf("%s: %s", told.verdict, told.reason)
	since := died
	if !runner || told.began.After(died) {
		// It went on, or began later: it had its faults until its end.
		since = told.ended
		s.faultlessFrom(t, since)
	}
	eventually(t, 2*time.Minute, s.unheld)
	clean := time.Since(since)
	t.Logf("the target is free %v after the end or the death of the run", clean)
	residuals, err := chaosmesh.Residuals(t.Context(), s.client, []string{emco})
	if err != nil || len(residuals) > 0 {
		t.Errorf("still on: %v, %v", residuals, err)
	}
	s.clean(t)
	if still := remaining(left); len(still) > 0 {
		t.Errorf("these processes are left: %q", still)
	}
	if wrong := told.disproved(runner, died, !maps.Equal(pods, s.emcoPods(t))); wrong != "" {
		t.Errorf("%s (%s), although %s", told.verdict, told.reason, wrong)
	}
	for _, one := range hit {
		// The kubelet waits longer from death to death of one pod: the next kill
		// gets a new one.
		if one.pod != nil {
			s.renew(t, one.pod)
		}
	}
	return told.verdict, clean
}

// faultlessFrom checks that no chaos object is left soon after a moment that was
// created before it.
func (s *site) faultlessFrom(t *testing.T, moment time.Time) {
	t.Helper()
	ctx, cancel := context.WithDeadline(during(t), moment.Add(deadLimit))
	defer cancel()
	err := poll(ctx, func(ctx context.Context) error {
		found, err := s.faults(ctx)
		for _, one := range found {
			if one.GetCreationTimestamp().Time.Before(moment) {
				err = errors.Join(err, fmt.Errorf("%s is there", one.GetName()))
			}
		}
		return err
	})
	took := time.Since(moment)
	if err != nil {
		t.Fatalf("%v after the end of the run: %v", took, err)
	}
	t.Logf("no fault %v after the end of the run", took)
}

func ofRun(status runs.RunStatus) made {
	told := made{verdict: status.Verdict, reason: status.Reason, ended: status.CompletionTime.Time, proven: len(status.Evidence) > 0}
	if status.StartTime != nil {
		told.began = status.StartTime.Time
	}
	for _, claim := range status.Evidence {
		told.proven = told.proven && claim.Holds
	}
	return told
}

// ofJournal reads what a command's journal tells of the run, if that had begun.
func ofJournal(t *testing.T, file string) made {
	t.Helper()
	open, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return made{verdict: "None", reason: "there is no journal"}
	}
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	records, err := journal.Read(open)
	if err != nil {
		t.Fatal(err)
	}
	all := report.Runs(records)
	if len(all) == 0 {
		return made{verdict: "None", reason: "the journal has no run"}
	}
	told := made{verdict: string(all[0].Verdict), reason: all[0].Reason, began: records[0].Time, proven: len(all[0].Plan.Evidence) > 0}
	for _, record := range records {
		if record.Kind == journal.Verdict {
			told.ended = record.Time
		}
	}
	for _, claim := range all[0].Claims() {
		told.proven = told.proven && claim.Holds
	}
	return told
}

// disproved says why what is told of a run cannot be known; empty when it can.
// EMCO has no defect here. runner says that what made the run has died, and
// restarted that a pod of EMCO's was.
func (m made) disproved(runner bool, died time.Time, restarted bool) string {
	switch {
	case m.verdict == string(verdict.Failed):
		return "nothing is wrong with EMCO"
	case m.verdict == string(verdict.Passed) && !m.proven:
		return "some of the evidence is not there"
	case m.verdict == string(verdict.Passed) && !restarted:
		return "no pod of EMCO has gone"
	case runner && m.began.Before(died) && m.ended.After(died) && m.verdict != string(verdict.Error):
		return fmt.Sprintf("what made the run died in its middle, at %v", died)
	}
	return ""
}

// emcoPods tells how often the containers of each pod of EMCO's have started.
func (s *site) emcoPods(t *testing.T) map[string]int32 {
	t.Helper()
	found, err := s.pods(t.Context(), emco, nil)
	if err != nil {
		t.Fatal(err)
	}
	starts := map[string]int32{}
	for _, pod := range found {
		for _, container := range pod.Status.ContainerStatuses {
			starts[string(pod.UID)] += 1 + container.RestartCount
		}
	}
	return starts
}

// renew deletes a pod, and waits for the one that comes in its place.
func (s *site) renew(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	labels := map[string]string{"app.kubernetes.io/component": pod.Labels["app.kubernetes.io/component"]}
	before, err := s.pods(t.Context(), pod.Namespace, labels)
	if err != nil {
		t.Fatal(err)
	}
	s.remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name}})
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		found, err := s.pods(ctx, pod.Namespace, labels)
		unready := func(one corev1.Pod) bool {
			return one.UID == pod.UID || len(one.Status.ContainerStatuses) != 1 || !one.Status.ContainerStatuses[0].Ready
		}
		if err != nil || len(found) != len(before) || slices.ContainsFunc(found, unready) {
			return errors.Join(err, fmt.Errorf("%d pods of %d are there with one in place of %s, or not all ready", len(found), len(before), pod.Name))
		}
		// Chaos Mesh's controller is ready before it answers the API server.
		asked := &v1alpha1.PodChaos{ObjectMeta: metav1.ObjectMeta{Namespace: emco, Name: "asked"}}
		asked.Spec.Action, asked.Spec.Mode = v1alpha1.PodKillAction, v1alpha1.OneMode
		return errors.Join(s.unheld(ctx), s.client.Create(ctx, asked, client.DryRunAll))
	})
}

// family is a process and its children, by their command lines.
func family(pid int) map[int]string {
	found := map[int]string{}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	pids := []string{strconv.Itoa(pid)}
	for _, file := range children {
		text, _ := os.ReadFile(file) // it may have ended
		pids = append(pids, strings.Fields(string(text))...)
	}
	for _, one := range pids {
		if line, err := os.ReadFile(filepath.Join("/proc", one, "cmdline")); err == nil && len(line) > 0 {
			number, _ := strconv.Atoi(one)
			found[number] = string(line)
		}
	}
	return found
}

// remaining are those of the processes that are still there.
func remaining(before map[int]string) []string {
	var still []string
	for pid, line := range before {
		if now, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && string(now) == line {
			still = append(still, line)
		}
	}
	return still
}
