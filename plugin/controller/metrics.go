package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// metrics are the metrics for Prometheus.
type metrics struct {
	runs       *prometheus.CounterVec
	duration   *prometheus.HistogramVec
	queued     prometheus.Gauge
	inProgress prometheus.Gauge
	injection  *prometheus.HistogramVec
	outage     prometheus.Histogram
	swept      *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	factory := promauto.With(registry)
	return &metrics{
		runs: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "emco_chaos_runs_total", Help: "Runs that ended, by verdict.",
		}, []string{"experiment", "verdict"}),
		duration: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "emco_chaos_run_duration_seconds", Help: "How long runs took, with their clean-up and without the queue.",
			Buckets: []float64{5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200},
		}, []string{"experiment"}),
		queued: factory.NewGauge(prometheus.GaugeOpts{
			Name: "emco_chaos_runs_queued", Help: "Runs that wait for their turn.",
		}),
		inProgress: factory.NewGauge(prometheus.GaugeOpts{
			Name: "emco_chaos_run_in_progress", Help: "Whether a run is under way: 1 or 0.",
		}),
		injection: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "emco_chaos_fault_injection_seconds", Help: "From the creation of a fault's object to its injection.",
			Buckets: []float64{.05, .1, .15, .2, .3, .5, .75, 1, 1.5, 2, 5, 10},
		}, []string{"action"}),
		outage: factory.NewHistogram(prometheus.HistogramOpts{
			Name: "emco_chaos_outage_seconds", Help: "How long what a fault stopped was gone: from down to ready.",
			Buckets: []float64{.5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300},
		}),
		swept: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "emco_chaos_swept_objects_total", Help: "What dead runs left and was removed, by kind: fault or resource.",
		}, []string{"kind"}),
	}
}

func (m *metrics) removed(swept runs.Swept) {
	m.swept.WithLabelValues("fault").Add(float64(swept.Faults))
	m.swept.WithLabelValues("resource").Add(float64(swept.Resources))
}

// stopwatch measures the faults of one run, and how long the system needed to
// recover.
type stopwatch struct {
	metrics *metrics
	plan    *plan.Plan
	// at is when the events of this attempt's faults happened, and hit when the
	// first of them took effect.
	at  map[plan.Ref]time.Duration
	hit time.Duration
	// outage is the longest time from down to ready, and recovered that from the
	// first effect of a fault to the last answer of a step.
	outage, recovered time.Duration
}

func (s *stopwatch) follow(record journal.Record) {
	step, known := s.plan.Find(record.Step)
	switch {
	case record.Kind == journal.Attempt:
		s.at, s.hit, s.outage, s.recovered = map[plan.Ref]time.Duration{}, 0, 0, 0
	case record.Kind == journal.Result && known && s.hit > 0 && step.Name != plan.TeardownStep:
		s.recovered = record.At - s.hit
	case record.Kind == journal.Event && known && step.Fault != nil && s.at != nil:
		s.onFault(step, record)
	}
}

func (s *stopwatch) onFault(step plan.Step, record journal.Record) {
	s.at[plan.Ref{Step: step.Name, Event: record.Event}] = record.At
	since := func(event string, then func(seconds float64)) (took time.Duration) {
		if from, seen := s.at[plan.Ref{Step: step.Name, Event: event}]; seen {
			took = record.At - from
			then(took.Seconds())
		}
		return took
	}
	switch record.Event {
	case plan.Injected:
		since(plan.Created, s.metrics.injection.WithLabelValues(step.Fault.Action).Observe)
		if !step.Fault.Stops() && s.hit == 0 {
			s.hit = record.At
		}
	case plan.Down:
		// What only delays or holds serves what goes down.
		s.hit = record.At
	case plan.Ready:
		s.outage = max(s.outage, since(plan.Down, s.metrics.outage.Observe))
	}
}
