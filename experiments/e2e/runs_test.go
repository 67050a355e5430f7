package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	runs "github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
)

// runLimit is how long a run may take that nothing else runs before.
const runLimit = 5 * time.Minute

// kubectl runs kubectl with what it reads, and returns what it printed.
func (s *site) kubectl(t *testing.T, reads string, arguments ...string) (string, error) {
	t.Helper()
	command := gently(exec.CommandContext(during(t), "kubectl", append([]string{"--namespace", home}, arguments...)...))
	command.Env = s.command(t.Context(), "emco-chaos").Env
	if path, err := exec.LookPath(s.programs + "/kubectl"); err == nil {
		command.Path, command.Err = path, nil
	}
	command.Stdin = strings.NewReader(reads)
	printed, err := command.CombinedOutput()
	t.Logf("kubectl %s\n%s", strings.Join(arguments, " "), printed)
	return string(printed), err
}

// manifest is a Run as a user writes it.
func manifest(name, experiment, more string) string {
	return fmt.Sprintf("---\napiVersion: emco-chaos.io/v1alpha1\nkind: Run\nmetadata: {name: %s}\nspec: {experiment: %s%s}\n", name, experiment, more)
}

// slowly makes slow of an experiment that holds a call: long enough to be killed.
const slowly = ", parameters: {delay: 15s}"

func (s *site) apply(t *testing.T, manifests string) {
	t.Helper()
	if _, err := s.kubectl(t, manifests, "create", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// run reads a Run; nil when it is gone.
func (s *site) run(ctx context.Context, name string) (*runs.Run, error) {
	there := &runs.Run{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: name}, there)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return there, err
}

// finished waits for the end of a Run.
func (s *site) finished(t *testing.T, name string, limit time.Duration) runs.RunStatus {
	t.Helper()
	var status runs.RunStatus
	eventually(t, limit, func(ctx context.Context) error {
		there, err := s.run(ctx, name)
		switch {
		case err != nil:
			return err
		case there == nil:
			t.Fatalf("Run %s is gone", name)
		case there.Status.Phase != runs.Finished:
			return fmt.Errorf("Run %s is %s: %+v", name, there.Status.Phase, there.Status.Conditions)
		}
		status = there.Status
		return nil
	})
	return status
}

// events are the messages of the Events on an object.
func (s *site) events(ctx context.Context, kind, name string) ([]string, error) {
	var all corev1.EventList
	if err := s.client.List(ctx, &all, client.InNamespace(home)); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all.Items, func(a, b corev1.Event) int { return a.FirstTimestamp.Compare(b.FirstTimestamp.Time) })
	var messages []string
	for _, event := range all.Items {
		if event.InvolvedObject.Kind == kind && event.InvolvedObject.Name == name && event.Source.Component == "emco-chaos" {
			messages = append(messages, event.Message)
		}
	}
	return messages, nil
}

// definition: the API server refuses what is no Run, and a change of one.
func (s *site) definition(t *testing.T) {
	for name, test := range map[string]struct{ spec, says string }{
		"nothing":        {"{}", "give one of experiment"},
		"both":           {"{experiment: a, text: b}", "give one of experiment"},
		"map and more":   {"{experiment: a, map: {}}", "give one of experiment"},
		"map's attempts": {"{map: {}, attempts: 2}", "a crash map has none"},
		"no name":        {`{experiment: "A b"}`, "spec.experiment in body should match"},
		"attempts":       {"{experiment: a, attempts: 11}", "should be less than or equal to 10"},
		"ttl":            {"{experiment: a, ttlAfterFinished: soon}", "spec.ttlAfterFinished in body should match"},
		"unknown field":  {"{experiment: a, nonsense: 1}", `unknown field "spec.nonsense"`},
		"long parameter": {"{experiment: a, parameters: {a: " + strings.Repeat("x", 1025) + "}}", "a value of at most 1024 characters"},
		"long name":      {"{experiment: a}", "at most 63 characters"},
		"other Workflow": {"{experiment: a, workflow: " + strings.Repeat("x", 64) + "}", "Too long"},
		"endless text":   {"{text: " + strings.Repeat("x", 65537) + "}", "Too long"},
	} {
		called := "invalid"
		if name == "long name" {
			called = strings.Repeat("x", 64)
		}
		text := fmt.Sprintf("{apiVersion: emco-chaos.io/v1alpha1, kind: Run, metadata: {name: %s}, spec: %s}", called, test.spec)
		if printed, err := s.kubectl(t, text, "create", "--dry-run=server", "-f", "-"); err == nil || !strings.Contains(printed, test.says) {
			t.Errorf("%s: %v, and it must say %q", name, err, test.says)
		}
	}
	s.apply(t, manifest("fixed", "service-refused", ", target: other"))
	if status := s.finished(t, "fixed", time.Minute); status.Verdict != "Error" || !strings.Contains(status.Reason, `spec.target: "other" is not the target`) {
		t.Errorf("for another target it ended %+v", status)
	}
	printed, err := s.kubectl(t, "", "patch", "run.emco-chaos.io", "fixed", "--type=merge", "--patch", `{"spec":{"attempts":2}}`)
	if err == nil || !strings.Contains(printed, "the spec of a Run cannot be changed") {
		t.Errorf("its spec could be changed: %v", err)
	}
	for _, field := range []string{"run.spec", "run.status"} {
		if printed, err := s.kubectl(t, "", "explain", field); err != nil || strings.Contains(printed, "<no description>") {
			t.Errorf("kubectl explain %s: %v", field, err)
		}
	}
}

// withoutRights tries to create Runs without the right to: the API server refuses,
// and nothing runs. The thin client's account may create, get and watch Runs
// and create Events, and nothing else.
func (s *site) withoutRights(t *testing.T) {
	created := s.watchFaults(t)
	as := "--as=system:serviceaccount:" + home + ":"
	printed, err := s.kubectl(t, manifest("refused", "service-refused", ""), "create", as+"default", "-f", "-")
	if err == nil || !strings.Contains(printed, "Forbidden") {
		t.Errorf("somebody without rights has created a Run: %v", err)
	}
	for _, can := range []struct {
		do   string
		want string
	}{
		{"create runs.emco-chaos.io", "yes"}, {"get runs.emco-chaos.io", "yes"}, {"watch runs.emco-chaos.io", "yes"}, {"list runs.emco-chaos.io", "no"},
		{"create events", "yes"}, {"list events", "no"}, {"patch events", "no"}, {"delete runs.emco-chaos.io", "no"}, {"get secrets", "no"}, {"get configmaps", "no"}, {"create pods", "no"}, {"get workflows.chaos-mesh.org", "no"},
	} {
		printed, _ := s.kubectl(t, "", append([]string{"auth", "can-i", as + "emco-chaos-trigger"}, strings.Fields(can.do)...)...)
		if !strings.HasPrefix(printed, can.want) {
			t.Errorf("%s: %s, want %s", can.do, printed, can.want)
		}
	}
	if names := created(); len(names) > 0 {
		t.Errorf("chaos objects were created: %v", names)
	}
}

// quota: the API server refuses more Runs than it allows, and trigger says so
// in a line.
func (s *site) quota(t *testing.T) {
	there := &runs.RunList{}
	if err := s.client.List(t.Context(), there, client.InNamespace(home)); err != nil {
		t.Fatal(err)
	}
	quota := fmt.Sprintf("{apiVersion: v1, kind: ResourceQuota, metadata: {name: runs}, spec: {hard: {count/runs.emco-chaos.io: %d}}}", len(there.Items))
	remove := func() {
		s.remove(t, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "runs"}})
	}
	t.Cleanup(remove)
	// Kubernetes looks for new kinds every 30 s. A quota that was there before is
	// counted minutes later, and one that is there at once lags behind the Runs.
	eventually(t, 2*time.Minute, func(ctx context.Context) error {
		s.apply(t, quota)
		counted, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := poll(counted, func(ctx context.Context) error {
			set := &corev1.ResourceQuota{}
			err := s.client.Get(ctx, client.ObjectKey{Namespace: home, Name: "runs"}, set)
			used := set.Status.Used["count/runs.emco-chaos.io"]
			if err != nil || len(set.Status.Used) == 0 || used.CmpInt64(int64(len(there.Items))) != 0 {
				return errors.Join(err, fmt.Errorf("of %d Runs %v are counted", len(there.Items), set.Status.Used))
			}
			return nil
		})
		if err != nil {
			remove()
		}
		return err
	})
	printed, code := s.chaos(t, "trigger", "service-refused", "--wait", "--namespace", home)
	if code != 4 || !strings.Contains(printed, "exceeded quota: runs") || strings.Count(printed, "\n") != 1 {
		t.Errorf("exit code %d", code)
	}
}

// tenAtOnce creates ten Runs with kubectl alone, and kills the controller kills
// times while they run: they pass in order, never two at a time, but for those
// that were under way when it died. These end in Error, and no fault is left.
func (s *site) tenAtOnce(t *testing.T, kills int) {
	var manifests strings.Builder
	var names []string
	for i := range 10 {
		name := fmt.Sprintf("ten-%d-%d", kills, i)
		names = append(names, name)
		manifests.WriteString(manifest(name, []string{"dig-instantiate-in-flight", "service-refused"}[i%2], ""))
	}
	s.apply(t, manifests.String())
	dead := map[string]bool{}
	for kill := range kills {
		// underWay adds those to the dead that are under way, and returns how many.
		underWay := func(ctx context.Context, dead map[string]bool) (found int, err error) {
			var all runs.RunList
			if err := s.client.List(ctx, &all, client.InNamespace(home)); err != nil {
				return 0, err
			}
			for _, run := range all.Items {
				if len(run.Finalizers) > 0 && run.Status.Phase != runs.Finished && !dead[run.Name] {
					dead[run.Name] = true
					found++
				}
			}
			return found, nil
		}
		// Somewhere in its first seconds, in which it has its faults.
		eventually(t, time.Duration(len(names))*runLimit, func(ctx context.Context) error {
			found, err := underWay(ctx, maps.Clone(dead))
			if err == nil && found == 0 {
				err = errors.New("no Run is under way")
			}
			return err
		})
		time.Sleep(time.Duration(rand.Float64() * float64(4*time.Second)))
		if err := syscall.Kill(s.controllerProcess(t).pid, syscall.SIGKILL); err != nil {
			t.Fatalf("kill the controller: %v", err)
		}
		died := time.Now()
		found, err := underWay(t.Context(), dead)
		if err != nil {
			t.Fatal(err)
		}
		there, err := s.faults(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range there {
			eventually(t, deadLimit-time.Since(died), func(ctx context.Context) error {
				err := s.client.Get(ctx, client.ObjectKeyFromObject(one), one)
				if err == nil {
					err = fmt.Errorf("%s is there", one.GetName())
				}
				return client.IgnoreNotFound(err)
			})
		}
		t.Logf("kill %d: %d Runs under way with %d faults, which were gone after %v", kill, found, len(there), time.Since(died))
	}
	last := time.Time{}
	for _, name := range names {
		status := s.finished(t, name, time.Duration(len(names))*runLimit)
		verdict, reason := "Passed", ""
		if dead[name] {
			verdict, reason = "Error", "the controller died in the middle of the run"
		}
		if status.Verdict != verdict || !strings.HasPrefix(status.Reason, reason) {
			t.Errorf("%s ended %s: %q, want %s: %q", name, status.Verdict, status.Reason, verdict, reason)
		}
		// One that had just been given its turn has no time.
		if start := status.StartTime; start != nil && start.Time.Before(last) || start == nil && !dead[name] {
			t.Errorf("%s began at %v, and the one before it ended at %v", name, start, last)
		}
		last = status.CompletionTime.Time
	}
	t.Logf("%d deaths of the controller, %d Runs ended in Error", kills, len(dead))
	if _, err := s.kubectl(t, "", "get", "ecrun", "-o", "wide"); err != nil {
		t.Error(err)
	}
}

// deleted deletes a Run in the middle of a hold: it is gone and clean within
// a minute.
func (s *site) deleted(t *testing.T) {
	s.holding(t, func() { s.apply(t, manifest("deleted", "dig-instantiate-in-flight", slowly)) })
	began := time.Now()
	if _, err := s.kubectl(t, "", "delete", "ecrun", "deleted", "--timeout=60s"); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %v", time.Since(began))
	eventually(t, 10*time.Second, s.unheld)
	s.clean(t)
	told, err := s.events(t.Context(), "Run", "deleted")
	if err != nil || len(told) == 0 || !strings.HasPrefix(told[len(told)-1], "Error: the Run was deleted") && !strings.Contains(told[len(told)-1], "the Run was deleted") {
		t.Errorf("told %q, %v", told, err)
	}
}

// withoutEMCO deletes a Run when EMCO is away for good: it goes all the same
// after a while, and says what it leaves.
func (s *site) withoutEMCO(t *testing.T) {
	s.holding(t, func() { s.apply(t, manifest("without-emco", "dig-instantiate-in-flight", slowly)) })
	s.takeAway(t)
	began := time.Now()
	if _, err := s.kubectl(t, "", "delete", "ecrun", "without-emco", "--timeout=4m"); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone after %v", time.Since(began))
	told, err := s.events(t.Context(), "Run", "without-emco")
	if err != nil || !slices.ContainsFunc(told, func(text string) bool { return strings.Contains(text, "left behind: ") }) {
		t.Errorf("told %q, %v", told, err)
	}
	if err := s.faultless(t.Context()); err != nil {
		t.Error(err)
	}
}

// takeAway takes EMCO's services away until the end of the test. What runs left
// in it is then removed.
func (s *site) takeAway(t *testing.T) {
	t.Helper()
	scale := func(ctx context.Context, replicas int) error {
		var all appsv1.DeploymentList
		if err := s.client.List(ctx, &all, client.InNamespace(emco)); err != nil {
			return err
		}
		var errs []error
		for i := range all.Items {
			one := &all.Items[i]
			before := one.DeepCopy()
			one.Spec.Replicas = new(int32(replicas))
			errs = append(errs, s.client.Patch(ctx, one, client.MergeFrom(before)))
			if int(one.Status.ReadyReplicas) != replicas {
				errs = append(errs, fmt.Errorf("%s has %d pods", one.Name, one.Status.ReadyReplicas))
			}
		}
		return errors.Join(errs...)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 3*time.Minute)
		defer cancel()
		if err := poll(ctx, func(ctx context.Context) error { return errors.Join(scale(ctx, 1), s.unheld(ctx)) }); err != nil {
			t.Error(err)
		}
		if err := s.removed(ctx); err != nil {
			t.Error(err)
		}
	})
	eventually(t, time.Minute, func(ctx context.Context) error { return scale(ctx, 0) })
}

// killedController kills the controller in the middle of a hold: the one
// that takes its place sweeps up. Its run begins on a target that another run
// has given back with a fault on it, which goes first.
func (s *site) killedController(t *testing.T) {
	controller := s.controllerProcess(t)
	gone := s.leaveFault(t)
	s.holding(t, func() { s.apply(t, manifest("killed", "dig-instantiate-in-flight", slowly)) })
	gone(t)
	if err := syscall.Kill(controller.pid, syscall.SIGKILL); err != nil {
		t.Fatalf("kill the controller: %v", err)
	}
	died := time.Now()
	if err := s.faultless(t.Context()); err == nil {
		t.Fatal("the run left no fault: there is nothing to see")
	}
	s.recovered(t, died)
	if status := s.finished(t, "killed", time.Minute); status.Verdict != "Error" || status.Reason != "the controller died in the middle of the run; its faults were removed" {
		t.Errorf("it ended %+v", status)
	}
}
