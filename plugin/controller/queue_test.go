package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// slow is a run of ten seconds that ends when it is told to.
func slow(ctx context.Context, _ runs.Spec) error {
	select {
	case <-time.After(10 * time.Second):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *world) delete(run *v1alpha1.Run) {
	w.t.Helper()
	if err := w.cluster.Delete(context.Background(), run); err != nil {
		w.t.Fatal(err)
	}
}

func TestRunsComeOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		running := 0
		w.runner.during = func(ctx context.Context, spec runs.Spec) error {
			running++
			defer func() { running-- }()
			if running > 1 {
				t.Error("two runs at once")
			}
			if state := w.lease(); state.Holder != "controller" || state.Run != spec.Run {
				t.Errorf("during run %s the target is held by %v", spec.Run, state)
			}
			return slow(ctx, spec)
		}
		// They wait before there is a controller.
		var all []*v1alpha1.Run
		for i := range 4 {
			all = append(all, w.ask(fmt.Sprintf("kill-%d", i)))
			time.Sleep(time.Second)
		}
		defer w.manage()()
		for _, one := range slices.Backward(all) {
			w.passes(one)
		}
		if got, want := w.runner.order(), []string{"kill-0", "kill-1", "kill-2", "kill-3"}; !slices.Equal(got, want) {
			t.Errorf("ran %v", got)
		}
		want := []string{"waits for its turn: 3 runs before it", "waits for its turn: 2 runs before it", "waits for its turn: 1 run before it"}
		if got := w.events.waitsForOthers(all[3]); !slices.Equal(got, want) {
			t.Errorf("the last one waited as %q", got)
		}
		if got := w.events.waitsForOthers(all[0]); len(got) > 0 {
			t.Errorf("the first one waited as %q", got)
		}
		time.Sleep(time.Second)
		if state := w.lease(); state.Held() {
			t.Errorf("afterwards the target is held by %v", state)
		}
		if run := w.look(all[0]); len(run.Finalizers) > 0 {
			t.Errorf("a Run that has finished has the finalizers %v", run.Finalizers)
		}
	})
}

// Those that wait are told so at once, however long it takes to find out what
// all of them are to do.
func TestManyRunsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during, w.runner.compiles = slow, time.Second
		defer w.manage()()
		var all []*v1alpha1.Run
		for i := range 10 {
			all = append(all, w.ask(fmt.Sprintf("kill-%d", i)))
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(time.Second)
		for place, run := range all {
			if status := w.look(run).Status; status.Phase == "" {
				t.Errorf("a second later nobody has taken up %s", run.Name)
			}
			if told := w.events.waitsForOthers(run); place > 0 && len(told) == 0 {
				t.Errorf("a second later %s does not say that it waits", run.Name)
			}
		}
		for _, run := range all {
			w.passes(run)
		}
	})
}

// Within one second, which is all that a time of creation tells, the order is
// that in which the API server stored them.
func TestOrderWithinASecond(t *testing.T) {
	now := metav1.Now()
	run := func(name, version string, change ...func(*v1alpha1.Run)) v1alpha1.Run {
		one := v1alpha1.Run{ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: now, ResourceVersion: version}}
		for _, apply := range change {
			apply(&one)
		}
		return one
	}
	queued := func(after time.Duration) func(*v1alpha1.Run) {
		return func(one *v1alpha1.Run) { one.Status.QueuedTime = new(metav1.NewMicroTime(now.Add(after))) }
	}
	all := []v1alpha1.Run{
		run("new-2", "100"), run("new-1", "99"),
		run("later", "5", func(one *v1alpha1.Run) { one.CreationTimestamp = metav1.NewTime(now.Add(time.Second)) }),
		run("queued-2", "300", queued(2*time.Millisecond)), run("queued-1", "400", queued(time.Millisecond)),
		run("begun", "500", func(one *v1alpha1.Run) { one.Finalizers = []string{Finalizer} }),
	}
	slices.SortFunc(all, inOrder)
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
	}
	if want := []string{"begun", "queued-1", "queued-2", "new-1", "new-2", "later"}; !slices.Equal(names, want) {
		t.Errorf("the order is %v, want %v", names, want)
	}
}

// TestStatusGoesOn: the status of a run tells of each of its moments when it comes.
func TestStatusGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var run *v1alpha1.Run
		w.runner.during = func(_ context.Context, spec runs.Spec) error {
			for _, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Ready} {
				spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Event, Step: "kill", Event: event})
				time.Sleep(gathering + statusEvery)
				synctest.Wait()
				if timeline := w.look(run).Status.Timeline; len(timeline) == 0 || !strings.Contains(timeline[len(timeline)-1].Text, event) {
					t.Errorf("after %s its timeline is %+v", event, timeline)
				}
			}
			return nil
		}
		run = w.ask("calm-kill")
		defer w.manage()()
		w.passes(run)
	})
}

func TestStatusOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = func(_ context.Context, spec runs.Spec) error {
			if spec.Attempts != 2 || spec.Plan.Parameters["call"] != "dig.terminate" {
				t.Errorf("it runs with %d attempts and %v", spec.Attempts, spec.Plan.Parameters)
			}
			at := time.Now()
			for i, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Ready} {
				spec.Journal.Add(at.Add(time.Duration(i)*1500*time.Millisecond), journal.Record{Kind: journal.Event, Step: "kill", Event: event})
			}
			spec.Journal.Add(at.Add(7*time.Second), journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed", Text: "available after 2 s"})
			time.Sleep(time.Second)
			run := &v1alpha1.RunList{}
			if err := w.cluster.List(context.Background(), run); err != nil {
				t.Error(err)
			}
			time.Sleep(6 * time.Second)
			if status := run.Items[0].Status; status.Phase != v1alpha1.Running || len(status.Timeline) < 7 || status.Attempt != 1 {
				t.Errorf("meanwhile its status is %+v", status)
			}
			return nil
		}
		w.runner.left = []string{"a fault"}
		defer w.manage()()
		run := w.ask("calm-kill", func(run *v1alpha1.Run) {
			run.Spec.Attempts, run.Spec.Parameters = 2, map[string]string{"call": "dig.terminate"}
		})
		w.passes(run)
		status := w.look(run).Status
		if status.Phase != v1alpha1.Finished || status.Experiment != "calm-kill" || len(status.ID) != 8 || status.Attempt != 1 ||
			status.QueuedTime == nil || status.StartTime == nil || status.CompletionTime == nil || !slices.Equal(status.Left, []string{"a fault"}) {
			t.Errorf("its status is %+v", status)
		}
		if status.Outage == nil || status.Outage.Duration != 1500*time.Millisecond || status.RecoveredIn == nil || status.RecoveredIn.Duration != 4*time.Second {
			t.Errorf("the outage took %v, the recovery %v", status.Outage, status.RecoveredIn)
		}
		conditions := map[string]metav1.Condition{}
		for _, one := range status.Conditions {
			conditions[one.Type] = one
		}
		if conditions["Started"].Status != "True" || conditions["Finished"].Reason != "Passed" || conditions["Finished"].Message != "recovered: as planned; 1 of 1" {
			t.Errorf("its conditions are %+v", status.Conditions)
		}
		kept := &corev1.ConfigMap{}
		if err := w.cluster.Get(t.Context(), client.ObjectKey{Namespace: home, Name: status.Journal.ConfigMap}, kept); err != nil {
			t.Fatal(err)
		}
		if owner := kept.OwnerReferences; len(owner) != 1 || owner[0].Kind != "Run" || owner[0].UID != run.UID {
			t.Errorf("the journal is owned by %+v", owner)
		}
		records, err := ReadJournal(t.Context(), w.cluster, client.ObjectKeyFromObject(run))
		if err != nil || len(records) != 13 {
			t.Errorf("the journal has %d records: %v", len(records), err)
		}
	})
}

// What cannot be run ends at once, also behind one that takes its time.
func TestRefusedRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = slow
		defer w.manage()()
		first := w.ask("calm-kill")
		for _, test := range []struct {
			run  *v1alpha1.Run
			says string
		}{
			{w.ask("wrong"), "parameters.call: is not known"},
			{w.ask("unknown"), `there is no experiment "unknown"`},
			{w.ask("calm-kill", func(run *v1alpha1.Run) { run.Spec.Target = "other" }), `spec.target: "other" is not the target of this namespace's controller, which is "sample"`},
			{w.ask("calm-kill", func(run *v1alpha1.Run) { run.Spec.Workflow = "nightly" }), "spec.workflow: there is no Workflow nightly"},
		} {
			if status := w.end(test.run); status.Verdict != "Error" || !strings.Contains(status.Reason, test.says) {
				t.Errorf("%s ended %s: %s", test.run.Name, status.Verdict, status.Reason)
			}
		}
		if isFinished(w.look(first)) {
			t.Error("they waited for their turn")
		}
		w.passes(first)
		own := w.ask("", func(run *v1alpha1.Run) { run.Name, run.Spec.Text, run.Spec.Target = "own", "own", "sample" })
		w.passes(own)
		if got := w.runner.order(); !slices.Equal(got, []string{"calm-kill", "own-experiment"}) {
			t.Errorf("ran %v", got)
		}
	})
}

func TestWaitsForTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.take()
		defer w.manage()()
		run := w.ask("calm-kill")
		time.Sleep(2 * time.Second)
		if got := w.events.waitsForOthers(run); len(got) != 1 || !strings.Contains(got[0], "waiting until alice gives up the target") {
			t.Errorf("after 2 s it was told that it %q", got)
		}
		time.Sleep(5 * time.Minute)
		if got := w.events.waitsForOthers(run); len(got) != 1 {
			t.Errorf("after five minutes it was told that it %q", got)
		}
		w.release(alice)
		w.passes(run)
	})
}

func TestStopInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = func(ctx context.Context, _ runs.Spec) error {
			<-ctx.Done()
			// Cleaning up takes its time, and the target stays ours.
			time.Sleep(time.Minute)
			if state := w.lease(); state.Holder != "controller" || !time.Now().Before(state.Until()) {
				t.Errorf("while cleaning up the target is held by %v until %v", state, state.Until())
			}
			return errors.New("interrupted")
		}
		stop := w.manage()
		running := w.ask("calm-kill")
		time.Sleep(5 * time.Second)
		waiting := w.ask("busy-kill")
		began := time.Now()
		stop()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("stopped after %v", took)
		}
		if got := w.end(running); got.Verdict != "Error" || !strings.Contains(got.Reason, "interrupted") {
			t.Errorf("the run under way ended %+v", got)
		}
		if state := w.lease(); state.Held() {
			t.Errorf("the target is still held by %v", state)
		}
		// The one that waited outlives the controller.
		w.runner.during = nil
		w.start()
		defer w.manage()()
		w.passes(waiting)
	})
}

// killed leaves a Run under way as a controller does that is killed.
func (w *world) killed() *v1alpha1.Run {
	w.t.Helper()
	w.create(schedule(started), workflow("calm-kill-x2x7c", "calm-kill-uid"))
	run := w.ask("calm-kill", func(run *v1alpha1.Run) { run.Finalizers = []string{Finalizer} }, fromDashboard)
	run.Status = v1alpha1.RunStatus{Phase: v1alpha1.Running, Experiment: "calm-kill", ID: "rdead", StartTime: new(metav1.NowMicro())}
	if err := w.cluster.Status().Update(context.Background(), run); err != nil {
		w.t.Fatal(err)
	}
	w.die("rdead")
	return run
}

func TestRunWhoseControllerDied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		dead := w.killed()
		died := time.Now()
		next := w.ask("busy-kill")
		defer w.manage()()
		if got := w.end(dead); got.Verdict != "Error" || got.Reason != "the controller died in the middle of the run; its faults were removed" {
			t.Errorf("ended %+v", got)
		}
		if swept := w.runner.sweeps(); len(swept) == 0 || swept[0].Sub(died) > 20*time.Second {
			t.Errorf("swept at %v after %v", swept, died)
		}
		// Its Workflow has not ended, and Chaos Mesh has more to say about that.
		if got := w.events.on("Schedule"); slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, "Error: ") }) {
			t.Errorf("on the Schedule it says at once %q", got)
		}
		time.Sleep(settleLimit + settleTick)
		for _, kind := range []string{"Run", "Workflow", "Schedule"} {
			const want = "Error: Error: the controller died in the middle of the run; its faults were removed"
			if got := w.events.on(kind); !slices.ContainsFunc(got, func(text string) bool { return strings.HasPrefix(text, want) }) {
				t.Errorf("on the %s it says %q", kind, got)
			}
		}
		w.passes(next)
		if got := w.runner.order(); !slices.Equal(got, []string{"busy-kill"}) {
			t.Errorf("ran %v", got)
		}
		if run := w.look(dead); len(run.Finalizers) > 0 {
			t.Errorf("it has the finalizers %v", run.Finalizers)
		}
	})
}

// A fault that cannot be removed keeps a Run of a dead controller, and those
// behind it; when it is deleted, for a limited time.
func TestDeadRunThatCannotBeCleanedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(ctx context.Context, _ func(string)) (runs.Swept, error) {
			return runs.Swept{}, errors.New("a fault hangs on its finalizer")
		}
		dead := w.killed()
		defer w.manage()()
		time.Sleep(10 * time.Minute)
		if isFinished(w.look(dead)) {
			t.Error("it ended although its faults are there")
		}
		w.delete(dead)
		time.Sleep(endLimit + time.Minute)
		if w.look(dead) != nil {
			t.Error("it is there long after it was deleted")
		}
		if got := w.events.on("Workflow"); !slices.ContainsFunc(got, func(text string) bool { return strings.Contains(text, "and its faults may be left") }) {
			t.Errorf("told %q", got)
		}
	})
}

func TestDelete(t *testing.T) {
	for name, test := range map[string]struct {
		clean time.Duration
		gone  time.Duration
		left  []string
	}{
		"ends and cleans up":             {20 * time.Second, 25 * time.Second, nil},
		"is let go when it cannot":       {time.Hour, endLimit + 5*time.Second, []string{"the DIG x: EMCO does not answer"}},
		"cleans up until shortly before": {endLimit - time.Second, endLimit, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.runner.left = test.left
				w.runner.during = func(ctx context.Context, spec runs.Spec) error {
					<-ctx.Done()
					select {
					case <-time.After(test.clean):
					case <-spec.Abandon:
					}
					return context.Cause(ctx)
				}
				defer w.manage()()
				run := w.ask("calm-kill")
				time.Sleep(5 * time.Second)
				w.delete(run)
				if w.look(run) == nil {
					t.Fatal("it was not under way")
				}
				time.Sleep(test.gone)
				if there := w.look(run); there != nil {
					t.Errorf("it is still there: %+v", there.Status)
				}
				told := strings.Join(w.events.on("Run"), "\n")
				if !strings.Contains(told, "Error: Error: the Run was deleted") || strings.Contains(told, "LeftBehind") != (len(test.left) > 0) {
					t.Errorf("told\n%s", told)
				}
			})
		})
	}
}

func TestDeleteOfARunThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice := w.take()
		defer w.manage()()
		first, second := w.ask("calm-kill"), w.ask("busy-kill")
		time.Sleep(5 * time.Second)
		for _, run := range []*v1alpha1.Run{first, second} {
			w.delete(run)
			if w.look(run) != nil {
				t.Errorf("%s is still there", run.Name)
			}
		}
		time.Sleep(5 * time.Second)
		w.release(alice)
		w.passes(w.ask("third"))
		if got := w.runner.order(); !slices.Equal(got, []string{"third"}) {
			t.Errorf("ran %v", got)
		}
	})
}

// A Run that is deleted before its turn, and that somebody else's finalizer keeps,
// is in nobody's way.
func TestDeletedRunThatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		kept := w.ask("calm-kill", func(run *v1alpha1.Run) { run.Finalizers = []string{"example.com/keep"} })
		w.delete(kept)
		next := w.ask("busy-kill")
		defer w.manage()()
		if got := w.end(kept); got.Verdict != "Error" || got.Reason != "the Run was deleted" {
			t.Errorf("ended %+v", got)
		}
		w.passes(next)
		if got := w.runner.order(); !slices.Equal(got, []string{"busy-kill"}) {
			t.Errorf("ran %v", got)
		}
	})
}

// An API server that restarts costs no verdict and no place.
func TestAPIServerRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = func(ctx context.Context, spec runs.Spec) error {
			w.setAway(true)
			time.AfterFunc(12*time.Second, func() { w.setAway(false) })
			spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed", Text: "available"})
			return slow(ctx, spec)
		}
		first, second := w.ask("calm-kill"), w.ask("busy-kill")
		defer w.manage()()
		w.passes(first)
		w.passes(second)
		if status := w.look(first).Status; status.Journal == nil || len(status.Timeline) < 3 {
			t.Errorf("its status is %+v", status)
		}
	})
}

func TestRunEndsWhenTheLeaseIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = func(ctx context.Context, _ runs.Spec) error {
			gone := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: target, Name: lease.Name}}
			if err := w.cluster.Delete(context.Background(), gone); err != nil {
				t.Error(err)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		}
		defer w.manage()()
		got := w.end(w.ask("calm-kill"))
		if got.Verdict != "Error" || !strings.Contains(got.Reason, "not ours alone any more: somebody deleted the lease") {
			t.Errorf("ended %+v", got)
		}
	})
}

func TestRunThatIsNoneEndsInError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.fails = errors.New("the plugin does not start")
		defer w.manage()()
		time.Sleep(time.Second)
		before := len(w.runner.sweeps())
		got := w.end(w.ask("calm-kill"))
		if got.Verdict != "Error" || got.Reason != "the plugin does not start" || got.Journal != nil {
			t.Errorf("ended %+v", got)
		}
		// How far it came nobody knows.
		time.Sleep(time.Second)
		if after := len(w.runner.sweeps()); after != before+1 {
			t.Errorf("%d sweeps, and %d before", after, before)
		}
	})
}

// A Run that cannot be run ends although the API server is away when that is found out.
func TestRefusedWhenTheAPIServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.compiles = 5 * time.Second
		defer w.manage()()
		unknown := w.ask("unknown")
		time.AfterFunc(time.Second, func() { w.setAway(true) })
		time.AfterFunc(2*takenLimit, func() { w.setAway(false) })
		if got := w.end(unknown); got.Verdict != "Error" || got.Reason != `there is no experiment "unknown"` {
			t.Errorf("ended %+v", got)
		}
	})
}

// Old Runs go: by their time to live, and when there are enough others of the
// experiment.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.manage()()
		other := w.ask("busy-kill")
		w.passes(other)
		var all []*v1alpha1.Run
		for range 5 {
			all = append(all, w.ask("calm-kill"))
			w.passes(all[len(all)-1])
		}
		time.Sleep(time.Second)
		for i, run := range append(all, other) {
			if gone := w.look(run) == nil; gone != (i < 2) {
				t.Errorf("%s is gone: %t", run.Name, gone)
			}
		}
		short := w.ask("busy-kill", func(run *v1alpha1.Run) { run.Spec.TTLAfterFinished = &metav1.Duration{Duration: time.Hour} })
		w.passes(short)
		time.Sleep(59 * time.Minute)
		if w.look(short) == nil {
			t.Error("it went before its time")
		}
		time.Sleep(2 * time.Minute)
		if w.look(short) != nil || w.look(other) == nil {
			t.Error("after its time it is there, or another one is gone")
		}
	})
}

// Another controller of the namespace has the Run under way: its Lease is
// waited for, and its verdict counts.
func TestAnotherControllerHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var others sync.WaitGroup
		run := w.ask("calm-kill", func(run *v1alpha1.Run) { run.Finalizers = []string{Finalizer} })
		held := w.take()
		others.Go(func() {
			time.Sleep(time.Minute)
			run := run.DeepCopy()
			run.Status = v1alpha1.RunStatus{Phase: v1alpha1.Finished, Experiment: "calm-kill", Verdict: "Passed", CompletionTime: new(metav1.NowMicro())}
			if err := w.cluster.Status().Update(context.Background(), run); err != nil {
				t.Error(err)
			}
			w.release(held)
		})
		defer w.manage()()
		w.passes(run)
		others.Wait()
		time.Sleep(time.Minute)
		w.passes(run)
	})
}
