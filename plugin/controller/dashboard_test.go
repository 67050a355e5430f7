package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// schedule is one of ours, as the chart makes it.
func schedule(change ...func(*v1alpha1.Schedule)) *v1alpha1.Schedule {
	one := &v1alpha1.Schedule{ObjectMeta: metav1.ObjectMeta{
		Namespace: home, Name: "calm-kill", UID: "schedule-uid",
		Labels:      map[string]string{RearmLabel: "true", fault.ExperimentLabel: "calm-kill"},
		Annotations: map[string]string{v1alpha1.PauseAnnotationKey: "true"},
	}}
	one.Spec.Type = v1alpha1.ScheduleTypeWorkflow
	one.Status.LastScheduleTime = metav1.NewTime(time.Now().Add(-10 * armedAge))
	for _, apply := range change {
		apply(one)
	}
	return one
}

// started is what Start and Chaos Mesh make of it.
func started(one *v1alpha1.Schedule) {
	one.Annotations[v1alpha1.PauseAnnotationKey] = "false"
	one.Status.LastScheduleTime = metav1.Now()
}

func TestRearm(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.Schedule)
		armed  bool
	}{
		"started":                   {started, true},
		"made without a time":       {func(one *v1alpha1.Schedule) { one.Status.LastScheduleTime = metav1.Time{} }, true},
		"armed already":             {func(*v1alpha1.Schedule) {}, false},
		"started, and not yet seen": {func(one *v1alpha1.Schedule) { one.Annotations = nil }, false},
		"not ours": {func(one *v1alpha1.Schedule) {
			started(one)
			one.Labels = nil
		}, false},
		"by the clock": {func(one *v1alpha1.Schedule) {
			started(one)
			one.Labels[RearmLabel] = "false"
		}, false},
		"no workflow": {func(one *v1alpha1.Schedule) {
			started(one)
			one.Spec.Type = v1alpha1.ScheduleTypePodChaos
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				one := schedule(test.change)
				if err := w.cluster.Create(t.Context(), one); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if _, err := w.rearmer.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(one)}); err != nil {
						t.Fatal(err)
					}
				}
				if !test.armed {
					if len(w.patches) > 0 {
						t.Errorf("patched with %s", w.patches)
					}
					return
				}
				old := time.Now().Add(-armedAge).UTC().Format(time.RFC3339)
				want := fmt.Sprintf(`{"metadata":{"annotations":{"experiment.chaos-mesh.org/pause":"true"}},"status":{"time":%q}}`, old)
				if !slices.Equal(w.patches, []string{want}) {
					t.Errorf("patched with %s, not once with %s", w.patches, want)
				}
			})
		})
	}
}

func TestNoScheduleIsNoError(t *testing.T) {
	w := newWorld(t)
	if _, err := w.rearmer.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: home, Name: "gone"}}); err != nil {
		t.Error(err)
	}
}

// dashboarded is a world in which a Schedule was started.
func dashboarded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	yes := true
	workflow := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{
		Namespace: home, Name: "calm-kill-x2x7c", UID: "workflow-uid",
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: fault.GroupVersion, Kind: "Schedule", Name: "calm-kill", UID: "schedule-uid", Controller: &yes,
		}},
	}}
	for _, object := range []client.Object{schedule(started), workflow} {
		if err := w.cluster.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	// The run puts a fault on.
	w.runner.during = func(ctx context.Context, spec runs.Spec) error {
		object, err := fault.Decode(spec.Plan.Steps[0].Fault.Object)
		if err != nil {
			return err
		}
		fault.Stamp(object, spec.Run, 1, spec.Plan.Experiment, "kill")
		object.SetUID("kill-uid")
		if err := w.cluster.Create(ctx, object); err != nil {
			return err
		}
		at := time.Now()
		for i, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Ready, plan.Removed} {
			spec.Journal.Add(at.Add(time.Duration(i)*time.Second), journal.Record{Kind: journal.Event, Step: "kill", Event: event})
		}
		for range 2 {
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed", Text: "orchestrator is available"})
		}
		spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: plan.TeardownStep, Conclusion: "passed", Text: "all removed"})
		spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Skipped, Step: "back", Text: "too late"})
		return nil
	}
	return w
}

func TestRunFromTheDashboard(t *testing.T) {
	w := dashboarded(t)
	defer w.manage()()
	asked, err := json.Marshal(api.Request{Experiment: "calm-kill", Workflow: &api.Workflow{Namespace: home, Name: "calm-kill-x2x7c"}})
	if err != nil {
		t.Fatal(err)
	}
	messages := stream(t, send(t, w.serve(), "POST", "/v1/runs", userToken, string(asked)).Body)
	if last := messages[len(messages)-1]; last.End == nil || last.End.Verdict != "Inconclusive" {
		t.Fatalf("ended %+v", last)
	}
	if len(w.patches) != 1 || !strings.Contains(w.patches[0], `pause":"true"`) {
		t.Errorf("the Schedule was patched with %s", w.patches)
	}
	var events corev1.EventList
	if err := w.cluster.List(t.Context(), &events); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return strings.Compare(a.Message, b.Message) })
	for kind, want := range map[string][]string{
		"Workflow": {
			"Inconclusive: step back did not start: too late",
			"back: as planned",
			"back: not started: too late",
			"back: orchestrator is available",
			"back: orchestrator is available (2)",
			"given: as planned",
			"kill: pod-kill orchestrator: down",
			"kill: pod-kill orchestrator: injected",
			"kill: pod-kill orchestrator: ready",
			"kill: pod-kill orchestrator: removed",
			"run r1 of calm-kill: The orchestrator is killed",
		},
		"Schedule": {
			"Inconclusive: step back did not start: too late (run r1)",
			"run r1 of calm-kill: The orchestrator is killed",
		},
		"PodChaos": {
			"kill: pod-kill orchestrator: down",
			"kill: pod-kill orchestrator: injected",
			"kill: pod-kill orchestrator: ready",
			"kill: pod-kill orchestrator: removed",
			"run r1 of calm-kill: kill: pod-kill orchestrator: created",
		},
	} {
		if got := messagesOf(events.Items, kind); !slices.Equal(got, want) {
			t.Errorf("on the %s it says\n  %s\nnot\n  %s", kind, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
	}
	for _, event := range events.Items {
		on := event.InvolvedObject
		if on.UID == "" || on.Namespace != event.Namespace || on.APIVersion != fault.GroupVersion || event.Reason == "" || event.Count != 1 {
			t.Errorf("an Event is %+v", event)
		}
		if warns := event.Type == corev1.EventTypeWarning; warns != strings.Contains(event.Message, "too late") {
			t.Errorf("%q is a %s", event.Message, event.Type)
		}
	}
}

func TestRunThatNeverBeganIsToldToo(t *testing.T) {
	w := dashboarded(t)
	w.queue.Runner = &failing{w.runner}
	defer w.manage()()
	from, err := w.queue.dashboard.origin(t.Context(), api.Workflow{Namespace: home, Name: "calm-kill-x2x7c"})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := w.queue.add(calmKill(), "", from)
	if err != nil {
		t.Fatal(err)
	}
	end(asked)
	var events corev1.EventList
	if err := w.cluster.List(t.Context(), &events); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"Workflow": "Error: the plugin does not start",
		"Schedule": "Error: the plugin does not start (run r1)",
	} {
		if got := messagesOf(events.Items, kind); !slices.Contains(got, want) {
			t.Errorf("on the %s it says %q", kind, got)
		}
	}
}

// Who may ask for runs may name any Workflow of the namespace: what is not ours
// gets no Events and stays as it is.
func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	yes := true
	for name, test := range map[string]struct {
		owner, uid string
	}{
		"somebody's Schedule":         {owner: "backup", uid: "backup-uid"},
		"a Schedule of the same name": {owner: "calm-kill", uid: "former-uid"},
		"a Schedule that is gone":     {owner: "gone", uid: "gone-uid"},
		"nobody's":                    {},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			backup := schedule(started)
			backup.Name, backup.UID, backup.Labels = "backup", "backup-uid", nil
			workflow := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "nightly", UID: "nightly-uid"}}
			if test.owner != "" {
				workflow.OwnerReferences = []metav1.OwnerReference{{
					APIVersion: fault.GroupVersion, Kind: "Schedule", Name: test.owner, UID: types.UID(test.uid), Controller: &yes,
				}}
			}
			for _, object := range []client.Object{schedule(started), backup, workflow} {
				if err := w.cluster.Create(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
			response := send(t, w.serve(), "POST", "/v1/runs", userToken, `{"experiment":"calm-kill","workflow":{"namespace":"emco-chaos","name":"nightly"}}`)
			if said := problemOf(t, response); response.StatusCode != 422 || !strings.Contains(said, "the Workflow emco-chaos/nightly is not emco-chaos's") || !strings.Contains(said, fault.ExperimentLabel) {
				t.Errorf("got %d %q", response.StatusCode, said)
			}
			if len(w.queue.known) > 0 || len(w.patches) > 0 {
				t.Errorf("%d runs were taken in, and patched was %s", len(w.queue.known), w.patches)
			}
		})
	}
}

// A Workflow that somebody made by hand is ours when it says so, and a Schedule
// that runs by the clock as well.
func TestWhatSaysThatItIsOurs(t *testing.T) {
	w := dashboarded(t)
	byHand := &v1alpha1.Workflow{ObjectMeta: metav1.ObjectMeta{
		Namespace: home, Name: "by-hand", UID: "by-hand-uid", Labels: map[string]string{fault.ExperimentLabel: "calm-kill"},
	}}
	if err := w.cluster.Create(t.Context(), byHand); err != nil {
		t.Fatal(err)
	}
	for name, schedule := range map[string]string{"by-hand": "", "calm-kill-x2x7c": "calm-kill"} {
		from, err := w.queue.dashboard.origin(t.Context(), api.Workflow{Namespace: home, Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if from.workflow.Name != name || from.schedule.Name != schedule {
			t.Errorf("%s comes from %+v", name, from)
		}
	}
}

// The same words of a second attempt are others.
func TestAttemptsAreToldApart(t *testing.T) {
	w := dashboarded(t)
	w.runner.during = func(_ context.Context, spec runs.Spec) error {
		for attempt := 1; attempt <= 2; attempt++ {
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: attempt})
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed", Text: "orchestrator is available"})
		}
		return nil
	}
	defer w.manage()()
	from, err := w.queue.dashboard.origin(t.Context(), api.Workflow{Namespace: home, Name: "calm-kill-x2x7c"})
	if err != nil {
		t.Fatal(err)
	}
	asked, err := w.queue.add(calmKill(), "", from)
	if err != nil {
		t.Fatal(err)
	}
	end(asked)
	var events corev1.EventList
	if err := w.cluster.List(t.Context(), &events); err != nil {
		t.Fatal(err)
	}
	told := messagesOf(events.Items, "Workflow")
	for _, text := range []string{"back: orchestrator is available", "attempt 2: back: orchestrator is available"} {
		if !slices.Contains(told, text) {
			t.Errorf("%q is not among %q", text, told)
		}
	}
}

// An API server that does not answer keeps no run from its end for long.
func TestEventsThatAreNotTakenHoldNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dashboarded(t)
		w.queue.dashboard.Cluster = interceptor.NewClient(w.cluster, interceptor.Funcs{
			Create: func(ctx context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
				<-ctx.Done()
				return ctx.Err()
			},
		})
		defer w.manage()()
		synctest.Wait()
		from, err := w.queue.dashboard.origin(t.Context(), api.Workflow{Namespace: home, Name: "calm-kill-x2x7c"})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		asked, err := w.queue.add(calmKill(), "", from)
		if err != nil {
			t.Fatal(err)
		}
		if got := end(asked); got.Verdict != "Inconclusive" {
			t.Errorf("ended %+v", got)
		}
		if took := time.Since(began); took != announceLimit {
			t.Errorf("the end came after %v", took)
		}
	})
}
