package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

var (
	errFull     = errors.New("too many runs wait already; ask again later")
	errBusy     = errors.New("too many requests are compiled already; ask again later")
	errStopping = errors.New("the controller is stopping; ask again when it is back")
)

// queue makes the runs that were asked for, one after another, and remembers
// the last ones.
type queue struct {
	keeper    *keeper
	runner    Runner
	archive   *archive
	dashboard *dashboard
	metrics   *metrics
	log       *slog.Logger
	newName   func() string
	depth     int
	keep      int
	wait      time.Duration
	// done is closed when no more runs are made.
	done chan struct{}

	mu       sync.Mutex
	waiting  []*run
	known    []*run
	stopping bool
	// arrived has room for one: something waits.
	arrived chan struct{}
}

func newQueue(parts Parts, keeper *keeper, archive *archive, dashboard *dashboard, metrics *metrics) *queue {
	return &queue{
		keeper: keeper, runner: parts.Runner, archive: archive, dashboard: dashboard, metrics: metrics, log: parts.Log,
		newName: parts.NewName, depth: parts.Queue, keep: parts.Keep, wait: parts.LeaseWait,
		done:    make(chan struct{}),
		arrived: make(chan struct{}, 1),
	}
}

// room says whether a run would be taken in now.
func (q *queue) room() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed()
}

func (q *queue) closed() error {
	switch {
	case q.stopping:
		return errStopping
	case len(q.waiting) >= q.depth:
		return errFull
	}
	return nil
}

// add takes a run in. One with a key that is known already is not another one.
func (q *queue) add(compiled *plan.Plan, key string, from *origin) (*run, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if known := q.search(func(r *run) bool { return key != "" && r.key == key }); known != nil {
		return known, nil
	}
	if err := q.closed(); err != nil {
		return nil, err
	}
	added := newRun(q.newName(), compiled)
	added.key, added.origin = key, from
	q.waiting = append(q.waiting, added)
	q.known = append(q.known, added)
	q.forget()
	q.metrics.queued.Set(float64(len(q.waiting)))
	added.queued(len(q.waiting) - 1)
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return added, nil
}

// forget forgets the oldest ended runs that are too many.
func (q *queue) forget() {
	for i := 0; i < len(q.known) && len(q.known) > q.keep; {
		if q.known[i].status().State != api.StateEnded {
			i++
			continue
		}
		q.known = append(q.known[:i:i], q.known[i+1:]...)
	}
}

// find returns the run of that name; nil when it is not known.
func (q *queue) find(name string) *run {
	return q.findBy(func(r *run) bool { return r.name == name })
}

// findKey returns the run that was asked for with the key.
func (q *queue) findKey(key string) *run {
	return q.findBy(func(r *run) bool { return r.key == key })
}

func (q *queue) findBy(is func(*run) bool) *run {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.search(is)
}

func (q *queue) search(is func(*run) bool) *run {
	for _, r := range q.known {
		if is(r) {
			return r
		}
	}
	return nil
}

// recall returns a run that is known from its journal alone: one that ended
// long ago, or of a former controller.
func (q *queue) recall(name string) (*run, error) {
	one, found, err := q.archive.find(name)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return nil, &deniedError{http.StatusNotFound, fmt.Sprintf("there is no run %q, or it is so long ago that it is forgotten", name)}
	}
	end, err := endOf(one)
	if err != nil {
		return nil, err
	}
	recalled := newRun(name, one.Plan)
	recalled.finish(end)
	return recalled, nil
}

// Start makes runs until ctx ends. The one that is then under way is ended and
// cleaned up; those that wait are ended.
func (q *queue) Start(ctx context.Context) error {
	defer close(q.done)
	defer q.stop()
	defer context.AfterFunc(ctx, q.refuse)()
	for {
		next := q.take()
		if next == nil {
			select {
			case <-q.arrived:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if ctx.Err() != nil {
			q.end(next, errored(errStopping.Error()))
			continue
		}
		q.metrics.inProgress.Set(1)
		q.end(next, q.serve(ctx, next))
		q.metrics.inProgress.Set(0)
	}
}

// refuse takes no more runs in.
func (q *queue) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopping = true
}

// stop ends the runs that wait, and takes no more in.
func (q *queue) stop() {
	q.refuse()
	q.mu.Lock()
	left := q.waiting
	q.waiting = nil
	q.metrics.queued.Set(0)
	q.mu.Unlock()
	for _, one := range left {
		q.end(one, errored(errStopping.Error()))
	}
}

// take takes the first run out of the queue; the others move up.
func (q *queue) take() *run {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	first := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.metrics.queued.Set(float64(len(q.waiting)))
	for i, one := range q.waiting {
		one.queued(i + 1)
	}
	return first
}

func (q *queue) end(r *run, end api.End) {
	q.metrics.ended(r.plan.Experiment, end.Verdict)
	q.log.Info("run ended", "run", r.name, "experiment", r.plan.Experiment, "verdict", end.Verdict, "reason", end.Reason)
	r.finish(end)
}

// serve makes one run.
func (q *queue) serve(ctx context.Context, r *run) api.End {
	r.begin()
	patient, cancel := context.WithTimeoutCause(ctx, q.wait, fmt.Errorf("waited %v for the target", q.wait))
	held, err := q.keeper.acquire(patient, r.waiting)
	cancel()
	if err != nil {
		if ctx.Err() != nil {
			err = errStopping
		}
		return q.dashboard.closing(ctx, r, errored(err.Error()))
	}
	defer held.release(ctx)
	began := time.Now()
	defer func() { q.metrics.duration.WithLabelValues(r.plan.Experiment).Observe(time.Since(began).Seconds()) }()
	if err := held.Note(ctx, r.name); err != nil {
		return q.dashboard.closing(ctx, r, errored(err.Error()))
	}
	guarded, stop := held.Guard(ctx)
	defer stop()
	end, err := q.make(guarded, r)
	if err != nil {
		// How far it came nobody knows.
		q.keeper.soil()
		return q.dashboard.closing(ctx, r, errored(err.Error()))
	}
	return end
}

// make has the run made, and tells it to all that listen.
func (q *queue) make(ctx context.Context, r *run) (api.End, error) {
	file, err := q.archive.create(r.plan.Experiment, r.name)
	if err != nil {
		return api.End{}, err
	}
	live := report.NewLive(&lines{run: r}, false)
	watch := &stopwatch{metrics: q.metrics, plan: r.plan}
	shown := q.dashboard.open(ctx, r)
	history := journal.New(file, live.Follow, watch.follow, shown.follow)
	outcome, err := q.runner.Run(ctx, runs.Spec{Name: r.name, Plan: r.plan, Journal: history})
	live.Close()
	shown.close()
	if err := errors.Join(err, file.Close()); err != nil {
		return api.End{}, err
	}
	if len(outcome.Left) > 0 {
		q.keeper.soil()
	}
	told := report.Runs(history.Records())
	if len(told) != 1 {
		return api.End{}, errors.New("the journal tells of no run")
	}
	return endOf(told[0])
}
