package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// schedule is one of ours, as the chart makes it.
func schedule(change ...func(*chaosmesh.Schedule)) *chaosmesh.Schedule {
	one := &chaosmesh.Schedule{ObjectMeta: metav1.ObjectMeta{
		Namespace: home, Name: "calm-kill", UID: "calm-kill-uid",
		Labels:      map[string]string{RearmLabel: "true", fault.ExperimentLabel: "calm-kill"},
		Annotations: map[string]string{chaosmesh.PauseAnnotationKey: "true"},
	}}
	one.Spec.Type = chaosmesh.ScheduleTypeWorkflow
	one.Status.LastScheduleTime = metav1.NewTime(time.Now().Add(-10 * armedAge))
	for _, apply := range change {
		apply(one)
	}
	return one
}

// started is what Start and Chaos Mesh make of it.
func started(one *chaosmesh.Schedule) {
	one.Annotations[chaosmesh.PauseAnnotationKey] = "false"
	one.Status.LastScheduleTime = metav1.Now()
}

func TestRearm(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*chaosmesh.Schedule)
		armed  bool
	}{
		"started":                   {started, true},
		"made without a time":       {func(one *chaosmesh.Schedule) { one.Status.LastScheduleTime = metav1.Time{} }, true},
		"armed already":             {func(*chaosmesh.Schedule) {}, false},
		"started, and not yet seen": {func(one *chaosmesh.Schedule) { one.Annotations = nil }, false},
		"not ours": {func(one *chaosmesh.Schedule) {
			started(one)
			one.Labels = nil
		}, false},
		"by the clock": {func(one *chaosmesh.Schedule) {
			started(one)
			one.Labels[RearmLabel] = "false"
		}, false},
		"no workflow": {func(one *chaosmesh.Schedule) {
			started(one)
			one.Spec.Type = chaosmesh.ScheduleTypePodChaos
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

// A Task gets the UID of its Schedule from a ConfigMap, also when another
// Schedule has taken the name.
func TestUIDsOfSchedules(t *testing.T) {
	w := newWorld(t)
	uids := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: Schedules}}
	w.create(uids)
	byClock := func(one *chaosmesh.Schedule) { delete(one.Labels, RearmLabel) }
	foreign := func(one *chaosmesh.Schedule) { one.Labels = nil }
	for _, test := range []struct {
		change func(*chaosmesh.Schedule)
		uid    types.UID
		want   string
	}{{byClock, "first", "first"}, {foreign, "second", "first"}, {started, "third", "third"}} {
		one := schedule(test.change)
		one.UID = test.uid
		w.create(one)
		if _, err := w.rearmer.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(one)}); err != nil {
			t.Fatal(err)
		}
		if err := w.cluster.Get(t.Context(), client.ObjectKeyFromObject(uids), uids); err != nil {
			t.Fatal(err)
		}
		if got := uids.Data[one.Name]; got != test.want {
			t.Errorf("after Schedule %s the UID is %q, want %q", test.uid, got, test.want)
		}
		if err := w.cluster.Delete(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
}

func TestNoScheduleIsNoError(t *testing.T) {
	w := newWorld(t)
	if _, err := w.rearmer.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: home, Name: "gone"}}); err != nil {
		t.Error(err)
	}
}

// workflow is one that the Schedule has started.
func workflow(name string, owner types.UID) *chaosmesh.Workflow {
	one := &chaosmesh.Workflow{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name, UID: types.UID(name + "-uid")}}
	if owner != "" {
		one.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: fault.GroupVersion, Kind: "Schedule", Name: strings.TrimSuffix(string(owner), "-uid"), UID: owner, Controller: new(true),
		}}
	}
	return one
}

// accomplished is what Chaos Mesh makes of it when it ends.
func accomplished(one *chaosmesh.Workflow) {
	one.Status.Conditions = []chaosmesh.WorkflowCondition{{Type: chaosmesh.WorkflowConditionAccomplished, Status: corev1.ConditionTrue}}
}

// noted is what Chaos Mesh then has a Schedule say of it.
func noted(one *chaosmesh.Workflow) []corev1.ObjectReference {
	return []corev1.ObjectReference{{Name: one.Name, UID: one.UID, ResourceVersion: one.ResourceVersion}}
}

// dashboarded is a world in which a Schedule was started.
func dashboarded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	asks := workflow("calm-kill-x2x7c", "calm-kill-uid")
	accomplished(asks)
	w.create(asks)
	w.create(schedule(started, func(of *chaosmesh.Schedule) { of.Status.Active = noted(asks) }))
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
		for _, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready, plan.Removed} {
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Event, Step: "kill", Event: event})
		}
		spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed", Text: "available after 274 ms"})
		for _, step := range []string{"back", "kill"} {
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Skipped, Step: step, Text: "too late"})
		}
		spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Verdict, Verdict: "Passed"})
		spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: plan.TeardownStep, Conclusion: "passed", Text: "all removed"})
		return nil
	}
	return w
}

func (w *world) create(all ...client.Object) {
	w.t.Helper()
	for _, object := range all {
		if err := w.cluster.Create(context.Background(), object); err != nil {
			w.t.Fatal(err)
		}
	}
}

// fromDashboard is a Run that a Workflow asked for.
func fromDashboard(run *v1alpha1.Run) { run.Spec.Workflow = "calm-kill-x2x7c" }

func TestRunFromTheDashboard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dashboarded(t)
		defer w.manage()()
		// The first look for what dead runs left has the target.
		time.Sleep(2 * time.Second)
		run := w.ask("calm-kill", fromDashboard)
		w.end(run)
		time.Sleep(2 * settleTick)
		if owners := w.look(run).OwnerReferences; len(owners) != 1 || owners[0].Kind != "Workflow" || owners[0].UID != "calm-kill-x2x7c-uid" {
			t.Errorf("it is owned by %+v", owners)
		}
		onRun := []string{
			"Begun: begins calm-kill: The orchestrator is killed",
			"Injected: kill: pod-kill orchestrator: injected",
			"Down: kill: pod-kill orchestrator: down",
			"Rescheduled: kill: pod-kill orchestrator: rescheduled",
			"Ready: kill: pod-kill orchestrator: ready",
			"Removed: kill: pod-kill orchestrator: removed",
			"Answered: back: available after 274 ms",
			"NotStarted: not started: back, kill (too late)",
			"Answered: given: as planned",
			"Answered: back: as planned",
			"Inconclusive: Inconclusive: step back did not start: too late; 1 of 1",
		}
		for kind, want := range map[string][]string{
			"Run": onRun, "Workflow": onRun,
			"Schedule": {
				"Begun: begins calm-kill: The orchestrator is killed (run calm-kill-1)",
				"Inconclusive: Inconclusive: step back did not start: too late; 1 of 1 (run calm-kill-1)",
			},
			"PodChaos": {
				"Created: run calm-kill-1 of calm-kill: kill: pod-kill orchestrator: created",
				"Injected: kill: pod-kill orchestrator: injected",
				"Down: kill: pod-kill orchestrator: down",
				"Rescheduled: kill: pod-kill orchestrator: rescheduled",
				"Ready: kill: pod-kill orchestrator: ready",
				"Removed: kill: pod-kill orchestrator: removed",
			},
		} {
			if got := w.events.on(kind); !slices.Equal(got, want) {
				t.Errorf("on the %s it says\n  %s\nnot\n  %s", kind, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		}
		for _, event := range w.events.told {
			if event.on.UID == "" || event.on.Namespace == "" || event.on.APIVersion == "" {
				t.Errorf("an Event is on %+v", event.on)
			}
			if warns := event.severity == corev1.EventTypeWarning; warns != strings.Contains(event.text, "too late") {
				t.Errorf("%q is a %s", event.text, event.severity)
			}
		}
	})
}

// What is found before a run begins is told on the Run and its Workflow.
func TestWhatIsFoundBeforeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dashboarded(t)
		w.runner.tells = "dcm: something answers in front of it"
		defer w.manage()()
		w.end(w.ask("calm-kill", fromDashboard))
		for _, kind := range []string{"Run", "Workflow"} {
			if got := w.events.on(kind); !slices.Contains(got, "Found: "+w.runner.tells) {
				t.Errorf("on the %s it says %q", kind, got)
			}
		}
	})
}

// Chaos Mesh warns of each change of the paused Schedule until the Workflow has
// ended: the verdict comes after that, or when it has waited for long enough.
func TestVerdictIsTheLastWordOnTheSchedule(t *testing.T) {
	for name, ends := range map[string]bool{"the Workflow ends": true, "it never does": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				asks, of := workflow("calm-kill-x2x7c", "calm-kill-uid"), schedule(started)
				w.create(of, asks)
				defer w.manage()()
				w.passes(w.ask("calm-kill", fromDashboard))
				told := func() bool {
					on := w.events.on("Schedule")
					return strings.HasPrefix(on[len(on)-1], "Passed: ")
				}
				change := func(object client.Object) {
					if err := w.cluster.Update(t.Context(), object); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(10 * settleTick)
				if told() {
					t.Error("it is told before the Workflow has ended")
				}
				if !ends {
					time.Sleep(settleLimit)
					if !told() {
						t.Errorf("it is not told %v later", settleLimit)
					}
					return
				}
				of.Status.Active = noted(asks)
				accomplished(asks)
				change(asks)
				change(of)
				time.Sleep(10 * settleTick)
				if told() {
					t.Error("it is told before Chaos Mesh has changed the Schedule")
				}
				of.Status.Active = noted(asks)
				change(of)
				time.Sleep(settleTick / 2)
				if told() {
					t.Error("it is told at the same time as Chaos Mesh's warning")
				}
				time.Sleep(2 * settleTick)
				if !told() {
					t.Error("it is not told after that")
				}
			})
		})
	}
}

func TestRunThatNeverBeganIsToldToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dashboarded(t)
		w.runner.fails = errors.New("the plugin does not start")
		defer w.manage()()
		w.end(w.ask("calm-kill", fromDashboard))
		time.Sleep(2 * settleTick)
		for kind, want := range map[string]string{
			"Workflow": "Error: Error: the plugin does not start", "Schedule": "Error: Error: the plugin does not start (run calm-kill-1)",
		} {
			if got := w.events.on(kind); !slices.Contains(got, want) {
				t.Errorf("on the %s it says %q", kind, got)
			}
		}
	})
}

// Who may create Runs may name any Workflow of the namespace: what is not ours
// gets no Events and owns no Run.
func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	for name, owner := range map[string]types.UID{
		"somebody's Schedule":         "backup-uid",
		"a Schedule of the same name": "former-uid",
		"nobody's":                    "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				backup := schedule(started)
				backup.Name, backup.UID, backup.Labels = "backup", "backup-uid", nil
				nightly := workflow("nightly", owner)
				if owner == "former-uid" {
					nightly.OwnerReferences[0].Name = "calm-kill"
				}
				w.create(schedule(started), backup, nightly)
				defer w.manage()()
				run := w.ask("calm-kill", func(run *v1alpha1.Run) { run.Spec.Workflow = "nightly" })
				if status := w.end(run); status.Verdict != "Error" || !strings.Contains(status.Reason, "the Workflow nightly is not emco-chaos's") || !strings.Contains(status.Reason, fault.ExperimentLabel) {
					t.Errorf("ended %s: %s", status.Verdict, status.Reason)
				}
				if got := append(w.events.on("Workflow"), w.events.on("Schedule")...); len(got) > 0 || len(w.look(run).OwnerReferences) > 0 {
					t.Errorf("told %q", got)
				}
			})
		})
	}
}

// A Workflow that somebody made by hand is ours when it says so.
func TestWorkflowByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		byHand := workflow("by-hand", "")
		byHand.Labels = map[string]string{fault.ExperimentLabel: "calm-kill"}
		w.create(byHand)
		defer w.manage()()
		w.passes(w.ask("calm-kill", func(run *v1alpha1.Run) { run.Spec.Workflow = "by-hand" }))
		if len(w.events.on("Workflow")) == 0 || len(w.events.on("Schedule")) > 0 {
			t.Errorf("told %+v", w.events.told)
		}
	})
}

// An attempt that another one follows has no verdict.
func TestAttemptsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := dashboarded(t)
		w.runner.during = func(_ context.Context, spec runs.Spec) error {
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Verdict, Attempt: 1, Verdict: "Inconclusive", Text: "the kill came too late"})
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: 2})
			return nil
		}
		defer w.manage()()
		// The first look for what dead runs left has the target.
		time.Sleep(2 * time.Second)
		run := w.ask("calm-kill", fromDashboard)
		w.passes(run)
		time.Sleep(2 * settleTick)
		for kind, want := range map[string][]string{
			"Workflow": {"Inconclusive: attempt 1 of 3 inconclusive: the kill came too late; the next follows", "Answered: given: as planned", "Answered: back: as planned", "Passed: Passed: recovered: as planned; 1 of 1"},
			"Schedule": {"Inconclusive: attempt 1 of 3 inconclusive: the kill came too late; the next follows (run calm-kill-1)", "Passed: Passed: recovered: as planned; 1 of 1 (run calm-kill-1)"},
		} {
			if got := w.events.on(kind)[1:]; !slices.Equal(got, want) {
				t.Errorf("on the %s it says %q", kind, got)
			}
		}
		if status := w.look(run).Status; status.Attempt != 2 {
			t.Errorf("the verdict is of attempt %d", status.Attempt)
		}
	})
}

func TestPack(t *testing.T) {
	records := []journal.Record{{Kind: journal.Run, Run: "r1", Plan: calmKill()}, {Kind: journal.Attempt, Attempt: 1}}
	for i := range 2000 {
		records = append(records, journal.Record{Kind: journal.Note, Text: fmt.Sprintf("note %d %x", i, i*i*7919)})
	}
	records = append(records, journal.Record{Kind: journal.Verdict, Verdict: "Passed"})
	whole, omitted, err := pack(records, longestJournal)
	if err != nil || omitted != 0 {
		t.Fatalf("%d omitted: %v", omitted, err)
	}
	w := newWorld(t)
	for name, data := range map[string][]byte{"whole": whole, "cut": func() []byte {
		data, left, err := pack(records, len(whole)/2)
		if err != nil || left == 0 || len(data) > len(whole)/2 {
			t.Fatalf("%d bytes, %d omitted: %v", len(data), left, err)
		}
		omitted = left
		return data
	}()} {
		run := &v1alpha1.Run{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}}
		run.Status = v1alpha1.RunStatus{Phase: v1alpha1.Finished, Journal: &v1alpha1.Journal{ConfigMap: name}}
		w.create(run, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}, BinaryData: map[string][]byte{journalKey: data}})
		if err := w.cluster.Status().Update(t.Context(), run); err != nil {
			t.Fatal(err)
		}
		read, err := ReadJournal(t.Context(), w.cluster, client.ObjectKeyFromObject(run))
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"whole": len(records), "cut": len(records) - omitted + 3}[name]; len(read) != want {
			t.Errorf("%s: %d records, want %d", name, len(read), want)
		}
		if read[0].Plan == nil || read[1].Kind != journal.Attempt || read[len(read)-1].Verdict != "Passed" {
			t.Errorf("%s: it begins with %+v", name, read[:2])
		}
		if says := fmt.Sprintf("%d records up to here do not fit", omitted); name == "cut" && !strings.HasPrefix(read[2].Text, says) {
			t.Errorf("it does not say that %s, but %q", says, read[2].Text)
		}
	}
}
