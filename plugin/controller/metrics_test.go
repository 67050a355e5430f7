package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
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
emco_chaos_runs_total{experiment="calm-kill",verdict="Error"} 0
emco_chaos_runs_total{experiment="calm-kill",verdict="Failed"} 0
emco_chaos_runs_total{experiment="calm-kill",verdict="Inconclusive"} 0
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
		last := gathered(t, w.registry, "emco_chaos_last_run_end_timestamp_seconds")
		if ended := w.look(second).Status.CompletionTime; len(last) != 1 || last[0].GetGauge().GetValue() != float64(ended.UnixMilli())/1000 {
			t.Errorf("the last run ended %v, and told is %v", ended, last)
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

// TestFaults: what is returned is of the last attempt: of several outages the longest,
// and the recovery since what stopped something last or, if nothing did, since the
// first fault was on.
func TestFaults(t *testing.T) {
	kill := plan.Fault{Kind: fault.PodChaos, Action: "pod-kill"}
	hold := plan.Fault{Kind: fault.NetworkChaos, Action: "partition"}
	p := &plan.Plan{
		Steps:    []plan.Step{{Name: "hold", Fault: &hold}, {Name: "hold-2", Fault: &hold}, {Name: "kill", Fault: &kill}, {Name: "kill-2", Fault: &kill}, {Name: "back"}},
		Given:    plan.Step{Name: plan.GivenStep},
		Teardown: plan.Step{Name: plan.TeardownStep},
	}
	attempt := journal.Record{Kind: journal.Attempt}
	at := func(seconds int, step, event string) journal.Record {
		kind := journal.Event
		if event == "" {
			kind = journal.Result
		}
		return journal.Record{Kind: kind, At: time.Duration(seconds) * time.Second, Step: step, Event: event}
	}
	for name, test := range map[string]struct {
		records           []journal.Record
		outage, recovered int
	}{
		"no attempt": {records: []journal.Record{at(1, "kill", plan.Down), at(2, "kill", plan.Ready)}},
		"several outages": {
			records: []journal.Record{
				attempt, at(1, plan.GivenStep, ""), at(2, "hold", plan.Injected), at(3, "kill", plan.Down), at(4, "kill-2", plan.Down),
				at(9, "kill", plan.Ready), at(10, "kill-2", plan.Ready), at(11, "kill", plan.Down), at(12, "kill", plan.Ready), at(15, "back", ""), at(20, plan.TeardownStep, ""),
			},
			outage: 6, recovered: 4,
		},
		"nothing is stopped": {
			records:   []journal.Record{attempt, at(1, plan.GivenStep, ""), at(2, "hold", plan.Injected), at(5, "hold-2", plan.Injected), at(9, "back", "")},
			recovered: 7,
		},
		"another attempt": {
			records: []journal.Record{
				attempt, at(1, "kill", plan.Down), at(9, "kill", plan.Ready), at(10, "back", ""), attempt, at(11, plan.GivenStep, ""), at(12, "kill", plan.Ready),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			outage, recovered := newMetrics(prometheus.NewRegistry()).faults(p, test.records)
			if outage != time.Duration(test.outage)*time.Second || recovered != time.Duration(test.recovered)*time.Second {
				t.Errorf("an outage of %v, recovered in %v; want %d s and %d s", outage, recovered, test.outage, test.recovered)
			}
		})
	}
}

// TestLastEnd: of each experiment the last finished Run that there is counts.
func TestLastEnd(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := newMetrics(registry)
	at := func(experiment, verdict string, seconds int64) v1alpha1.Run {
		return v1alpha1.Run{Status: v1alpha1.RunStatus{
			Phase: v1alpha1.Finished, Experiment: experiment, Verdict: verdict, CompletionTime: new(metav1.NewMicroTime(time.Unix(seconds, 5e8))),
		}}
	}
	refused := at("", "Error", 90)
	odd := at("b", "Passed", 90)
	odd.Status.CompletionTime = nil
	for _, test := range []struct {
		name string
		runs []v1alpha1.Run
		want string
	}{
		{"the last of each", []v1alpha1.Run{at("a", "Failed", 20), at("a", "Passed", 10), at("b", "Passed", 30), refused, odd}, "a,Failed=20.5 b,Passed=30.5 "},
		{"one passes", []v1alpha1.Run{at("a", "Failed", 20), at("a", "Passed", 40), at("b", "Passed", 30)}, "a,Passed=40.5 b,Passed=30.5 "},
		{"it is deleted", []v1alpha1.Run{at("a", "Failed", 20), at("b", "Passed", 30)}, "a,Failed=20.5 b,Passed=30.5 "},
		{"all are deleted", nil, ""},
	} {
		m.kept(test.runs)
		got := ""
		for _, one := range gathered(t, registry, "emco_chaos_last_run_end_timestamp_seconds") {
			got += fmt.Sprintf("%s,%s=%.1f ", one.Label[0].GetValue(), one.Label[1].GetValue(), one.GetGauge().GetValue())
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}

// TestLeftovers: a sweep that finds anything is told, and one that finds nothing
// is not.
func TestLeftovers(t *testing.T) {
	for name, test := range map[string]struct {
		swept runs.Swept
		err   error
		found bool
	}{
		"nothing":                  {runs.Swept{}, nil, false},
		"a fault":                  {runs.Swept{Faults: 1}, nil, true},
		"a resource":               {runs.Swept{Resources: 1}, nil, true},
		"what cannot be removed":   {runs.Swept{Remains: runs.ErrLeft}, nil, true},
		"faults that may be there": {runs.Swept{}, errors.New("no answer"), true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMetrics(prometheus.NewRegistry())
			m.sweptUp(test.swept, test.err)
			want := 0.
			if test.found {
				want = float64(time.Now().Unix())
			}
			time.Sleep(time.Minute)
			m.sweptUp(runs.Swept{}, nil)
			if got := testutil.ToFloat64(m.leftovers); got != want {
				t.Errorf("%s: %v, want %v", name, got, want)
			}
		})
	}
}

// gathered are the metrics of one name.
func gathered(t *testing.T, registry *prometheus.Registry, name string) []*dto.Metric {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()
		}
	}
	return nil
}

// TestRecovered: only runs that say something of the system say how long it took.
func TestRecovered(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "report", "testdata", "passed.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	made := report.Runs(records)[0]
	for _, step := range made.Plan.Steps {
		if phase := map[string]string{"back": "answers", "deployed": "converged"}[step.Name]; phase != "" {
			step.Activity.Measures = phase
		}
	}
	for judged, want := range map[verdict.Verdict][]string{
		verdict.Passed: {"answers", "converged", "ready"}, verdict.Failed: {"answers", "converged", "ready"}, verdict.Inconclusive: nil, verdict.Error: nil,
	} {
		registry := prometheus.NewRegistry()
		made.Verdict = judged
		newMetrics(registry).recovered(made, "")
		var phases []string
		for _, one := range gathered(t, registry, "emco_chaos_recovery_seconds") {
			phases = append(phases, one.Label[1].GetValue())
		}
		if !slices.Equal(phases, want) {
			t.Errorf("of a run that is %s %q are counted, want %q", judged, phases, want)
		}
	}
}

// TestTraced: a run is sent as a trace, and its numbers lead there.
func TestTraced(t *testing.T) {
	for name, test := range map[string]struct {
		late   time.Duration
		phases int
	}{"seen at once": {0, 1}, "seen late": {time.Minute, 0}} {
		synctest.Test(t, func(t *testing.T) {
			w, sent := newWorld(t), tracetest.NewInMemoryExporter()
			sender := trace.New(t.Context(), sent, nil, func(text string) { t.Error(text) })
			w.start(func(parts *Parts) { parts.Traces = sender })
			w.runner.during = func(_ context.Context, spec runs.Spec) error {
				spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Down})
				time.Sleep(2 * time.Second)
				seen := map[string]string{journal.NotBefore: time.Now().Add(-test.late).UTC().Format(time.RFC3339Nano)}
				spec.Journal.Add(time.Now(), journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Ready, Detail: seen})
				return nil
			}
			stop := w.manage()
			w.passes(w.ask("calm-kill"))
			stop()
			sender.Close()
			spans := sent.GetSpans()
			if len(spans) == 0 || spans[0].Name != "calm-kill" {
				t.Fatalf("%s: sent are %v", name, spans)
			}
			id := spans[0].SpanContext.TraceID().String()
			recovery := gathered(t, w.registry, "emco_chaos_recovery_seconds")
			if len(recovery) != test.phases || test.phases > 0 && recovery[0].GetHistogram().GetSampleSum() != 2 {
				t.Errorf("%s: the recovery is %v", name, recovery)
			}
			var options promhttp.HandlerOpts
			withExemplars(&options)
			page, request := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/metrics", nil)
			request.Header.Set("Accept", "application/openmetrics-text")
			promhttp.HandlerFor(w.registry, options).ServeHTTP(page, request)
			for metric, lines := range map[string]int{
				"emco_chaos_runs_total": 1, "emco_chaos_run_duration_seconds_bucket": 1, "emco_chaos_recovery_seconds_bucket": test.phases,
			} {
				led := regexp.MustCompile(`(?m)^` + metric + `\{.* # \{trace_id="` + id + `"\} `)
				if got := len(led.FindAllString(page.Body.String(), -1)); got != lines {
					t.Errorf("%s: %d lines of %s lead to the trace, want %d", name, got, metric, lines)
				}
			}
		})
	}
}
