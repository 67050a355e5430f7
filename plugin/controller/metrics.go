package controller

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
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
	leftovers  prometheus.Gauge
	recovery   *prometheus.HistogramVec
	lastEnd    *prometheus.GaugeVec

	// ended are the labels that lastEnd has. The reconciler of Runs owns it.
	ended map[[2]string]bool
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
		leftovers: factory.NewGauge(prometheus.GaugeOpts{
			Name: "emco_chaos_leftovers_found_timestamp_seconds", Help: "When a sweep last found something that dead runs left, removed or not; 0 is never.",
		}),
		recovery: factory.NewHistogramVec(prometheus.HistogramOpts{
			Name: "emco_chaos_recovery_seconds", Help: "From down to a phase of the recovery, in runs that Passed or Failed.",
			Buckets: []float64{.1, .25, .5, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30, 45, 60, 120, 300},
		}, []string{"experiment", "phase"}),
		lastEnd: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "emco_chaos_last_run_end_timestamp_seconds", Help: "When the last run of an experiment ended that is kept, and its verdict.",
		}, []string{"experiment", "verdict"}),
	}
}

// withExemplars has the metrics told in the OpenMetrics format to who asks for
// it: the older one has no room for exemplars.
func withExemplars(options *promhttp.HandlerOpts) { options.EnableOpenMetrics = true }

// exemplar leads from a number to the trace that it is of; nil without one.
func exemplar(trace string) prometheus.Labels {
	if trace == "" {
		return nil
	}
	return prometheus.Labels{"trace_id": trace}
}

func observe(histogram prometheus.Observer, seconds float64, trace string) {
	histogram.(prometheus.ExemplarObserver).ObserveWithExemplar(seconds, exemplar(trace))
}

// begun shows an experiment's counters before they count: what appears with a
// value has not increased for Prometheus.
func (m *metrics) begun(experiment string) {
	for _, one := range verdict.All() {
		m.runs.WithLabelValues(experiment, string(one))
	}
}

func (m *metrics) counted(experiment, verdict, trace string) {
	m.runs.WithLabelValues(experiment, verdict).(prometheus.ExemplarAdder).AddWithExemplar(1, exemplar(trace))
}

// recovered observes how what faults had stopped came back. An Inconclusive run
// says nothing of the system, and what was seen late says little.
func (m *metrics) recovered(made report.Run, trace string) {
	if made.Verdict != verdict.Passed && made.Verdict != verdict.Failed {
		return
	}
	for _, recovery := range made.Recoveries() {
		for _, phase := range recovery.Phases {
			if phase.Sure() {
				observe(m.recovery.WithLabelValues(made.Plan.Experiment, phase.Name), phase.Seconds, trace)
			}
		}
	}
}

// kept tells of the finished Runs that there are: so a restart forgets none, and
// deleting a Run takes its end back.
func (m *metrics) kept(finished []v1alpha1.Run) {
	last := map[string]v1alpha1.RunStatus{}
	for _, run := range finished {
		status := run.Status
		if status.Experiment == "" || status.CompletionTime == nil {
			continue
		}
		if other, has := last[status.Experiment]; !has || status.CompletionTime.After(other.CompletionTime.Time) {
			last[status.Experiment] = status
		}
	}
	ended := map[[2]string]bool{}
	for experiment, status := range last {
		labels := [2]string{experiment, status.Verdict}
		m.lastEnd.WithLabelValues(labels[:]...).Set(float64(status.CompletionTime.UnixMilli()) / 1000)
		ended[labels] = true
	}
	for labels := range m.ended {
		if !ended[labels] {
			m.lastEnd.DeleteLabelValues(labels[:]...)
		}
	}
	m.ended = ended
}

// sweptUp counts what a sweep found.
func (m *metrics) sweptUp(swept runs.Swept, err error) {
	m.swept.WithLabelValues("fault").Add(float64(swept.Faults))
	m.swept.WithLabelValues("resource").Add(float64(swept.Resources))
	if swept.Faults+swept.Resources > 0 || swept.Remains != nil || err != nil {
		m.leftovers.SetToCurrentTime()
	}
}

// faults observes the faults of a run. Of the last attempt it returns the longest
// time from down to ready, and that from the first effect of a fault to the last
// answer of a step.
func (m *metrics) faults(p *plan.Plan, records []journal.Record) (outage, recovered time.Duration) {
	for _, attempt := range journal.Split(records, journal.Attempt) {
		var hit time.Duration
		at := map[plan.Ref]time.Duration{}
		outage, recovered = 0, 0
		for _, record := range attempt {
			step, known := p.Find(record.Step)
			since := func(event string, observer prometheus.Observer) (took time.Duration) {
				if from, seen := at[plan.Ref{Step: step.Name, Event: event}]; seen {
					took = record.At - from
					observer.Observe(took.Seconds())
				}
				return took
			}
			switch {
			case record.Kind == journal.Result && known && hit > 0 && step.Name != plan.TeardownStep:
				recovered = record.At - hit
			case record.Kind != journal.Event || step.Fault == nil:
				continue
			case record.Event == plan.Injected:
				since(plan.Created, m.injection.WithLabelValues(step.Fault.Action))
				if !step.Fault.Stops() && hit == 0 {
					hit = record.At
				}
			case record.Event == plan.Down:
				// What only delays or holds serves what goes down.
				hit = record.At
			case record.Event == plan.Ready:
				outage = max(outage, since(plan.Down, m.outage))
			}
			at[plan.Ref{Step: step.Name, Event: record.Event}] = record.At
		}
	}
	return outage, recovered
}
