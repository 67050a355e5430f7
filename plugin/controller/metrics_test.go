package controller

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.runner.sweep = func(context.Context, func(string)) (runs.Swept, error) {
			return runs.Swept{Faults: 2, Resources: 17}, nil
		}
		w.runner.during = func(_ context.Context, spec runs.Spec) error {
			if got := testutil.ToFloat64(w.queue.metrics.inProgress); got != 1 {
				t.Errorf("%v runs are in progress", got)
			}
			if got := testutil.ToFloat64(w.queue.metrics.queued); got != 1 && len(w.runner.order()) == 1 {
				t.Errorf("%v runs are queued", got)
			}
			began := time.Now()
			// The second attempt's events are not counted from the first's.
			for attempt, injected := range map[int]time.Duration{1: 300 * time.Millisecond, 2: 300 * time.Millisecond} {
				spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Attempt, Attempt: attempt})
				for event, at := range map[string]time.Duration{plan.Created: 0, plan.Down: 2 * time.Second} {
					spec.Journal.Add(began.Add(at), journal.Record{Kind: journal.Event, Step: "kill", Event: event})
				}
				spec.Journal.Add(began.Add(injected), journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Injected})
				spec.Journal.Add(began.Add(4*time.Second), journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Ready})
			}
			time.Sleep(8 * time.Second)
			return nil
		}
		defer w.manage()()
		first, second := w.ask("calm-kill"), w.ask("calm-kill")
		w.passes(first)
		w.passes(second)
		synctest.Wait()

		problems, err := testutil.GatherAndLint(w.registry)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			t.Errorf("%s: %s", problem.Metric, problem.Text)
		}
		const want = `
# HELP emco_chaos_run_in_progress Whether a run is under way: 1 or 0.
# TYPE emco_chaos_run_in_progress gauge
emco_chaos_run_in_progress 0
# HELP emco_chaos_runs_queued Runs that wait for their turn.
# TYPE emco_chaos_runs_queued gauge
emco_chaos_runs_queued 0
# HELP emco_chaos_runs_total Runs that ended, by verdict.
# TYPE emco_chaos_runs_total counter
emco_chaos_runs_total{experiment="calm-kill",verdict="Passed"} 2
# HELP emco_chaos_swept_objects_total What dead runs left and was removed, by kind: fault or resource.
# TYPE emco_chaos_swept_objects_total counter
emco_chaos_swept_objects_total{kind="fault"} 2
emco_chaos_swept_objects_total{kind="resource"} 17
`
		if err := testutil.GatherAndCompare(w.registry, strings.NewReader(want),
			"emco_chaos_run_in_progress", "emco_chaos_runs_queued", "emco_chaos_runs_total", "emco_chaos_swept_objects_total"); err != nil {
			t.Error(err)
		}
		families, err := w.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]struct {
			count uint64
			sum   float64
		}{
			"emco_chaos_fault_injection_seconds": {4, 1.2},
			"emco_chaos_outage_seconds":          {4, 8},
			"emco_chaos_run_duration_seconds":    {2, 16},
		} {
			found := false
			for _, family := range families {
				if family.GetName() != name {
					continue
				}
				found = true
				histogram := family.GetMetric()[0].GetHistogram()
				if histogram.GetSampleCount() != want.count || histogram.GetSampleSum() < want.sum-.01 || histogram.GetSampleSum() > want.sum+.01 {
					t.Errorf("%s: %d, together %v", name, histogram.GetSampleCount(), histogram.GetSampleSum())
				}
			}
			if !found {
				t.Errorf("there is no %s", name)
			}
		}
	})
}
