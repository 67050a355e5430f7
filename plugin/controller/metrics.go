package controller

import (
	"strconv"
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
	requests   *prometheus.CounterVec
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
		requests: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "emco_chaos_requests_total", Help: "Requests to the API, by HTTP status code.",
		}, []string{"code"}),
	}
}

func (m *metrics) answered(code int) { m.requests.WithLabelValues(strconv.Itoa(code)).Inc() }

func (m *metrics) removed(swept runs.Swept) {
	m.swept.WithLabelValues("fault").Add(float64(swept.Faults))
	m.swept.WithLabelValues("resource").Add(float64(swept.Resources))
}

// stopwatch measures the faults of one run.
type stopwatch struct {
	metrics *metrics
	plan    *plan.Plan
	// at is when the events of this attempt's faults happened.
	at map[plan.Ref]time.Duration
}

func (s *stopwatch) follow(record journal.Record) {
	if record.Kind == journal.Attempt {
		s.at = map[plan.Ref]time.Duration{}
		return
	}
	step, known := s.plan.Find(record.Step)
	if record.Kind != journal.Event || !known || step.Fault == nil || s.at == nil {
		return
	}
	s.at[plan.Ref{Step: step.Name, Event: record.Event}] = record.At
	switch record.Event {
	case plan.Injected:
		if created, seen := s.at[plan.Ref{Step: step.Name, Event: plan.Created}]; seen {
			s.metrics.injection.WithLabelValues(step.Fault.Action).Observe((record.At - created).Seconds())
		}
	case plan.Ready:
		if down, seen := s.at[plan.Ref{Step: step.Name, Event: plan.Down}]; seen {
			s.metrics.outage.Observe((record.At - down).Seconds())
		}
	}
}
