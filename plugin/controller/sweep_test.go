package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

func TestSweepsAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(context.Context, func(string)) (runs.Swept, error) {
			if state := w.lease(); state.Holder != "controller" {
				t.Errorf("during the sweep the target is held by %v", state)
			}
			return runs.Swept{Faults: 2, Resources: 5}, nil
		}
		began := time.Now()
		defer w.manage()()
		time.Sleep(time.Hour)
		if swept := w.runner.sweeps(); len(swept) != 1 || !swept[0].Equal(began) {
			t.Errorf("swept at %v, began at %v", swept, began)
		}
		if state := w.lease(); state.Held() {
			t.Errorf("afterwards the target is held by %v", state)
		}
	})
}

func TestSweepsAfterADeadRun(t *testing.T) {
	for name, later := range map[string]time.Duration{"the controller was there": time.Minute, "the controller comes later": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				if later > 0 {
					defer w.manage()()
					time.Sleep(later)
				}
				w.die("ra")
				died := time.Now()
				if later == 0 {
					defer w.manage()()
				}
				before := len(w.runner.sweeps())
				time.Sleep(time.Minute)
				swept := w.runner.sweeps()[before:]
				if len(swept) != 1 {
					t.Fatalf("%d sweeps", len(swept))
				}
				if after := swept[0].Sub(died); after < lease.Duration || after > 20*time.Second {
					t.Errorf("swept %v after the death", after)
				}
				if state := w.lease(); state.Held() {
					t.Errorf("the lease is still there: %v", state)
				}
			})
		})
	}
}

func TestLiveLeaseIsNotSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		alice, err := lease.Take(t.Context(), w.cluster, lease.Options{Namespaces: []string{target}, Holder: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		defer w.manage()()
		time.Sleep(10 * time.Minute)
		if swept := w.runner.sweeps(); len(swept) > 0 {
			t.Errorf("swept %d times", len(swept))
		}
		if err := alice.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What a former self left is still to be removed.
		synctest.Wait()
		if swept := w.runner.sweeps(); len(swept) != 1 {
			t.Errorf("swept %d times after the release", len(swept))
		}
	})
}

func TestRunSweepsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stop := w.manage()
		synctest.Wait()
		stop()
		// The controller stands still while a run of a command line dies.
		w.die("ra")
		time.Sleep(time.Hour)
		w.start()
		asked := w.ask("calm-kill")
		defer w.manage()()
		w.passes(asked)
		if len(w.runner.sweeps()) < 2 {
			t.Error("it was not swept before the run")
		}
	})
}

func TestFailedSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(context.Context, func(string)) (runs.Swept, error) {
			return runs.Swept{}, errors.New("a fault hangs on its finalizer")
		}
		defer w.manage()()
		synctest.Wait()
		got := w.end(w.ask("calm-kill"))
		if got.Verdict != "Error" || !strings.Contains(got.Reason, "remove what dead runs left: a fault hangs") {
			t.Errorf("on a target that is not clean the run ended %+v", got)
		}
		if len(w.runner.ran) > 0 {
			t.Error("it ran")
		}
		w.runner.mu.Lock()
		w.runner.sweep = nil
		w.runner.mu.Unlock()
		time.Sleep(2 * sweepAgain)
		if next := w.queue.lock.left.Load().sweepAt; !next.IsZero() {
			t.Error("it was not swept again")
		}
		w.passes(w.ask("calm-kill"))
	})
}

func TestWhatRemainsBlocksNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(_ context.Context, tell func(string)) (runs.Swept, error) {
			tell("EMCO does not answer")
			return runs.Swept{Remains: errors.New("EMCO does not answer")}, nil
		}
		defer w.manage()()
		asked := w.ask("calm-kill")
		w.passes(asked)
		swept := len(w.runner.sweeps())
		if got := w.end(w.ask("calm-kill")); got.Verdict != "Passed" || len(w.runner.sweeps()) != swept {
			t.Errorf("the next one swept again, and ended %+v", got)
		}
		time.Sleep(sweepRest + time.Second)
		if again := len(w.runner.sweeps()); again != swept+1 {
			t.Errorf("%d sweeps after the rest, %d before", again, swept)
		}
	})
}

func TestRunWaitsForASweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(context.Context, func(string)) (runs.Swept, error) {
			time.Sleep(20 * time.Second)
			return runs.Swept{}, nil
		}
		defer w.manage()()
		synctest.Wait()
		asked := w.ask("calm-kill")
		w.passes(asked)
		if told := w.events.waits(asked); !slices.Equal(told, []string{"waiting until what dead runs left is removed"}) {
			t.Errorf("told %q", told)
		}
		if len(w.runner.sweeps()) != 1 {
			t.Errorf("%d sweeps", len(w.runner.sweeps()))
		}
	})
}

// A run that comes before the sweeper takes the target over from a dead holder,
// and removes what that one left.
func TestRunTakesOverAndSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.queue.lock.left.Store(&leftovers{})
		w.die("ra")
		defer w.reconcile(map[client.ObjectList]reconcile.Reconciler{&v1alpha1.RunList{}: w.queue})()
		asked := w.ask("calm-kill")
		w.passes(asked)
		if swept := w.runner.sweeps(); len(swept) != 1 {
			t.Errorf("%d sweeps", len(swept))
		}
		if told := w.events.waits(asked); !slices.Contains(told, "alice (run ra) died; removing what it left") {
			t.Errorf("told %q", told)
		}
	})
}

func TestWhatARunLeavesIsSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.manage()()
		synctest.Wait()
		before := len(w.runner.sweeps())
		w.runner.left = []string{"the fault r1-1-hold"}
		w.end(w.ask("calm-kill"))
		// The run's turn ends a little later than its lease.
		time.Sleep(time.Second)
		synctest.Wait()
		if after := len(w.runner.sweeps()); after != before+1 {
			t.Errorf("%d sweeps, and %d before", after, before)
		}
	})
}
