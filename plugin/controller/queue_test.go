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

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
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
		defer w.manage()()
		synctest.Wait()
		first, second, third := w.ask("calm-kill"), w.ask("busy-kill"), w.ask("calm-kill")
		for _, one := range []*run{third, second, first} {
			if got := end(one); got.Verdict != "Passed" || got.ExitCode != 0 || !strings.Contains(got.Report, "PASSED") {
				t.Errorf("run %s ended %+v", one.name, got)
			}
		}
		if want := []string{"r1", "r2", "r3"}; !slices.Equal(w.runner.ran, want) {
			t.Errorf("ran %v", w.runner.ran)
		}
		messages, _, _ := third.after(0)
		var positions []int
		for _, message := range messages {
			if message.Kind == api.Queued {
				positions = append(positions, message.Position)
			}
		}
		if len(positions) < 2 || !slices.IsSortedFunc(positions, func(a, b int) int { return b - a }) {
			t.Errorf("the third was at positions %v", positions)
		}
		synctest.Wait()
		if state := w.lease(); state.Held() {
			t.Errorf("afterwards the target is held by %v", state)
		}
		if lines := heard(first, api.Line); !slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "run r1 of calm-kill") }) {
			t.Errorf("the timeline is %q", lines)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.during = slow
		for range 3 {
			w.ask("calm-kill")
		}
		if _, err := w.queue.add(calmKill(), "", nil); !errors.Is(err, errFull) {
			t.Errorf("the error is %v", err)
		}
		stop := w.manage()
		synctest.Wait()
		stop()
		if _, err := w.queue.add(calmKill(), "", nil); !errors.Is(err, errStopping) {
			t.Errorf("after the end the error is %v", err)
		}
	})
}

func TestSameKeyIsSameRun(t *testing.T) {
	w := newWorld(t)
	first, err := w.queue.add(calmKill(), "user key", nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.queue.add(calmKill(), "user key", nil)
	if err != nil || again != first {
		t.Errorf("got %v, %v", again, err)
	}
	other, err := w.queue.add(calmKill(), "user other", nil)
	if err != nil || other == first {
		t.Errorf("another key got %v, %v", other, err)
	}
}

func TestWaitsForACommandLineRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice, err := lease.Take(t.Context(), w.cluster, lease.Options{Namespaces: []string{target}, Holder: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		if err := alice.Note(t.Context(), "ra"); err != nil {
			t.Fatal(err)
		}
		defer w.manage()()
		waiting := w.ask("calm-kill")
		began := time.Now()
		time.Sleep(40 * time.Second)
		if len(w.runner.ran) > 0 || len(w.runner.sweeps()) > 0 {
			t.Errorf("ran %v and swept %v while another run lives", w.runner.ran, w.runner.sweeps())
		}
		if err := alice.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := end(waiting); got.Verdict != "Passed" {
			t.Errorf("ended %+v", got)
		}
		if took := time.Since(began); took > 41*time.Second {
			t.Errorf("noticed the release after %v", took-40*time.Second)
		}
		told := heard(waiting, api.Waiting)
		// The sweep of what dead runs left may get the free target first.
		if len(told) == 2 && told[1] == "waiting until what dead runs left is removed" {
			told = told[:1]
		}
		if !slices.Equal(told, []string{"waiting until alice (run ra) gives up the target"}) {
			t.Errorf("told %q", told)
		}
	})
}

func TestWaitsForTheAPIServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.manage()()
		synctest.Wait()
		w.mu.Lock()
		w.away = true
		w.mu.Unlock()
		timer := time.AfterFunc(5*time.Second, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.away = false
		})
		defer timer.Stop()
		asked := w.ask("calm-kill")
		if got := end(asked); got.Verdict != "Passed" {
			t.Errorf("ended %+v", got)
		}
		if told := heard(asked, api.Waiting); len(told) != 1 || !strings.Contains(told[0], "waiting until the API server answers") {
			t.Errorf("told %q", told)
		}
	})
}

func TestWaitsOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice, err := lease.Take(t.Context(), w.cluster, lease.Options{Namespaces: []string{target}, Holder: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.manage()()
		began := time.Now()
		got := end(w.ask("calm-kill"))
		if got.Verdict != "Error" || got.ExitCode != 4 || !strings.Contains(got.Reason, "waited 1m0s for the target") || !strings.Contains(got.Reason, "alice") {
			t.Errorf("ended %+v", got)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("waited %v", took)
		}
		if err := alice.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
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
		synctest.Wait()
		running := w.ask("calm-kill")
		synctest.Wait()
		waiting := w.ask("busy-kill")
		began := time.Now()
		stop()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("stopped after %v", took)
		}
		if got := end(running); got.Verdict != "Error" || !strings.Contains(got.Reason, "interrupted") {
			t.Errorf("the run under way ended %+v", got)
		}
		if got := end(waiting); got.Verdict != "Error" || !strings.Contains(got.Reason, "stopping") {
			t.Errorf("the one that waited ended %+v", got)
		}
		if state := w.lease(); state.Held() {
			t.Errorf("the target is still held by %v", state)
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
		synctest.Wait()
		got := end(w.ask("calm-kill"))
		if got.Verdict != "Error" || !strings.Contains(got.Reason, "not ours alone any more: somebody deleted the lease") {
			t.Errorf("ended %+v", got)
		}
	})
}

func TestRunThatIsNoneEndsInError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		fails := &failing{w.runner}
		w.queue.Runner = fails
		defer w.manage()()
		synctest.Wait()
		before := len(w.runner.sweeps())
		got := end(w.ask("calm-kill"))
		if got.Verdict != "Error" || got.Reason != "the plugin does not start" || got.ExitCode != 4 {
			t.Errorf("ended %+v", got)
		}
		// How far it came nobody knows.
		synctest.Wait()
		if after := len(w.runner.sweeps()); after != before+1 {
			t.Errorf("%d sweeps, and %d before", after, before)
		}
	})
}

func TestForgetsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.manage()()
		for range 8 {
			end(w.ask("calm-kill"))
		}
		if len(w.queue.known) != 5 {
			t.Errorf("%d runs are known", len(w.queue.known))
		}
		if w.known("r8") == nil || w.known("r1") != nil {
			t.Error("not the oldest are forgotten")
		}
		if _, err := w.queue.recall("r8"); err != nil {
			t.Errorf("the last journal is gone: %v", err)
		}
		for _, name := range []string{"r1", "r9", "../r8", "*", "[", ""} {
			var denied *statusError
			if _, err := w.queue.recall(name); !errors.As(err, &denied) {
				t.Errorf("recalling %q: %v", name, err)
			}
		}
	})
}

func ExampleUnknownError() {
	fmt.Println(&UnknownError{Experiment: "dig", Known: []string{"a", "b"}})
	// Output: there is no experiment "dig"; ask for one of a, b
}
