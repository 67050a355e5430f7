package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

func askMap(w *world, calls ...string) *v1alpha1.Run {
	return w.ask("", func(run *v1alpha1.Run) { run.Name, run.Spec.Map = "nightly", &v1alpha1.MapSpec{Calls: calls} })
}

// TestMap: a Run with a map has its turn as others have, tells each point as it is
// tried, and keeps the map and the experiments of its findings.
func TestMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stuck := v1alpha1.Finding{Point: "terminate-rsync", Where: "before rsync", Consequence: "stuck", Words: "500"}
		var between *v1alpha1.Run
		w.runner.mapping = func(ctx context.Context, with MapParts) (verdict.Judgement, error) {
			if state := w.lease(); state.Holder != "controller" {
				t.Errorf("the target is held by %v", state)
			}
			journal.New(with.Journal).Add(time.Now(), journal.Record{Kind: journal.Run, Run: "r1", Plan: calmKill()})
			time.Sleep(time.Minute)
			with.Tell("before mongo: nothing done", v1alpha1.MapStatus{Runs: 3, Points: 1, Covered: 1})
			between = w.look(&v1alpha1.Run{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "nightly"}})
			time.Sleep(time.Minute)
			with.Tell("before rsync: stuck", v1alpha1.MapStatus{Runs: 7, Points: 2, Covered: 2, Findings: []v1alpha1.Finding{stuck}})
			return verdict.Judgement{Verdict: verdict.Failed, Reason: "stuck at 1 of 2 points"}, errors.Join(with.Keep("map.json", []byte("{}")), with.Keep("terminate-rsync.yaml", []byte("kind: Experiment")))
		}
		defer w.manage()()
		run := askMap(w)
		synctest.Wait()
		other := w.ask("calm-kill")
		status := w.end(run)
		if between.Status.Phase != v1alpha1.Running || between.Status.Map == nil || between.Status.Map.Points != 1 || between.Status.Verdict != "" {
			t.Errorf("in the middle its status is %+v", between.Status)
		}
		if status.Verdict != "Failed" || status.Reason != "stuck at 1 of 2 points" || status.Experiment != "crash-map" || status.Map.Runs != 7 || !slices.Equal(status.Map.Findings, []v1alpha1.Finding{stuck}) {
			t.Errorf("it ended as %+v", status)
		}
		if last := status.Timeline[len(status.Timeline)-1]; len(status.Timeline) != 2 || last.At.Duration != 2*time.Minute || last.Text != "before rsync: stuck" {
			t.Errorf("its timeline is %+v", status.Timeline)
		}
		kept := &corev1.ConfigMap{}
		if err := w.cluster.Get(t.Context(), client.ObjectKey{Namespace: home, Name: status.Map.ConfigMap}, kept); err != nil {
			t.Fatal(err)
		}
		if kept.Data["map.json"] != "{}" || kept.Data["terminate-rsync.yaml"] != "kind: Experiment" || kept.OwnerReferences[0].Name != run.Name {
			t.Errorf("it keeps %+v", kept)
		}
		if records, err := ReadJournal(t.Context(), w.cluster, client.ObjectKeyFromObject(run)); err != nil || len(records) != 1 {
			t.Errorf("its journal is %+v, %v", records, err)
		}
		want := []string{"Begun: begins a crash map", "Mapped: before mongo: nothing done", "Mapped: before rsync: stuck", "Failed: Failed: stuck at 1 of 2 points"}
		got := slices.DeleteFunc(w.events.on("Run"), func(text string) bool { return strings.HasPrefix(text, "Waiting") })
		if !slices.Equal(got[:len(want)], want) {
			t.Errorf("told\n%s", strings.Join(got, "\n"))
		}
		w.passes(other)
	})
}

// TestMapTooLarge: what is too large for a ConfigMap is told as lost, and the findings stay.
func TestMapTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.mapping = func(_ context.Context, with MapParts) (verdict.Judgement, error) {
			with.Tell("before rsync: stuck", v1alpha1.MapStatus{Runs: 1, Points: 1, Covered: 1, Findings: []v1alpha1.Finding{{Point: "terminate-rsync"}}})
			return verdict.Judgement{Verdict: verdict.Failed, Reason: "stuck at 1 of 1 points"}, with.Keep("map.json", make([]byte, 2<<20))
		}
		defer w.manage()()
		run := askMap(w)
		status := w.end(run)
		if status.Verdict != "Failed" || status.Map.ConfigMap != "" || len(status.Map.Findings) != 1 {
			t.Errorf("it ended as %+v", status)
		}
		if told := strings.Join(w.events.on("Run"), "\n"); !strings.Contains(told, "Lost: the crash map is lost: keep the ConfigMap nightly-map: ") {
			t.Errorf("told\n%s", told)
		}
	})
}

func TestMapThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.mapping = func(ctx context.Context, _ MapParts) (verdict.Judgement, error) {
			<-ctx.Done()
			return verdict.Judgement{}, context.Cause(ctx)
		}
		defer w.manage()()
		if status := w.end(askMap(w, "wrong")); status.Verdict != "Error" || status.Reason != "spec.map: wrong is no call that can be mapped" {
			t.Errorf("a mistake ended %s: %s", status.Verdict, status.Reason)
		}
		w.delete(&v1alpha1.Run{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "nightly"}})
		run := askMap(w)
		time.Sleep(time.Minute)
		swept := len(w.runner.swept)
		w.delete(run)
		time.Sleep(time.Minute)
		if there := w.look(run); there != nil {
			t.Errorf("it is still there: %+v", there.Status)
		}
		if told := strings.Join(w.events.on("Run"), "\n"); !strings.Contains(told, "Error: the Run was deleted") || len(w.runner.swept) <= swept {
			t.Errorf("it was swept %d times, and told\n%s", len(w.runner.swept)-swept, told)
		}
	})
}
