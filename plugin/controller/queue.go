package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

var (
	errFull     = &statusError{code: http.StatusTooManyRequests, text: "too many runs wait already; ask again later", again: fullAgain}
	errStopping = &statusError{code: http.StatusServiceUnavailable, text: "the controller is stopping; ask again when it is back", again: fullAgain}
)

// queue makes the runs that were asked for, one after another, and remembers
// the last ones.
type queue struct {
	Parts
	lock      *targetLock
	archive   *archive
	dashboard *dashboard

	mu sync.Mutex
	// waiting are the runs to be made, and known these and those made before.
	waiting, known []*run
	stopping       bool
	// arrived has room for one: something waits.
	arrived chan struct{}
}

// room returns why a run would not be taken in now.
func (q *queue) room() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed()
}

func (q *queue) closed() error {
	switch {
	case q.stopping:
		return errStopping
	case len(q.waiting) >= q.Queue:
		return errFull
	}
	return nil
}

// add takes a run in. One with a key that is known already is not another one.
func (q *queue) add(compiled *plan.Plan, key string, from *origin) (*run, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if known := slices.IndexFunc(q.known, func(r *run) bool { return key != "" && r.key == key }); known >= 0 {
		return q.known[known], nil
	}
	if err := q.closed(); err != nil {
		return nil, err
	}
	added := newRun(q.NewName(), compiled)
	added.key, added.origin = key, from
	added.tell(api.Message{Kind: api.Queued, Position: len(q.waiting)})
	q.waiting = append(q.waiting, added)
	q.known = append(q.known, added)
	for len(q.known) > q.Keep {
		ended := slices.IndexFunc(q.known, func(r *run) bool { return r.status().State == api.StateEnded })
		if ended < 0 {
			break
		}
		q.known = slices.Delete(q.known, ended, ended+1)
	}
	q.metrics.queued.Set(float64(len(q.waiting)))
	select {
	case q.arrived <- struct{}{}:
	default:
	}
	return added, nil
}

// find returns the run for which is says so; nil when none is known.
func (q *queue) find(is func(*run) bool) *run {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.IndexFunc(q.known, is); i >= 0 {
		return q.known[i]
	}
	return nil
}

// recall returns a run that is known from its journal alone: one that ended
// long ago, or of a controller before this one.
func (q *queue) recall(name string) (*run, error) {
	one, err := q.archive.find(name)
	if err != nil {
		return nil, err
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
	defer context.AfterFunc(ctx, q.refuse)()
	for ctx.Err() == nil {
		next := q.next()
		if next == nil {
			select {
			case <-q.arrived:
			case <-ctx.Done():
			}
			continue
		}
		q.metrics.inProgress.Set(1)
		q.end(next, q.serve(ctx, next))
		q.metrics.inProgress.Set(0)
	}
	q.refuse()
	for next := q.next(); next != nil; next = q.next() {
		q.end(next, errored(errStopping.Error()))
	}
	return nil
}

// refuse takes no more runs in.
func (q *queue) refuse() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopping = true
}

// next takes the first run out of the queue; the others move up.
func (q *queue) next() *run {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return nil
	}
	first := q.waiting[0]
	q.waiting = q.waiting[1:]
	q.metrics.queued.Set(float64(len(q.waiting)))
	for i, one := range q.waiting {
		one.tell(api.Message{Kind: api.Queued, Position: i + 1})
	}
	return first
}

func (q *queue) end(r *run, end api.End) {
	q.metrics.runs.WithLabelValues(r.plan.Experiment, end.Verdict).Inc()
	q.Log.Info("run ended", "run", r.name, "experiment", r.plan.Experiment, "verdict", end.Verdict, "reason", end.Reason)
	r.finish(end)
}

// serve makes one run, and announces its end even when it never began.
func (q *queue) serve(ctx context.Context, r *run) api.End {
	r.begin()
	events := q.dashboard.announce(ctx, r)
	defer events.close()
	end, err := q.make(ctx, r, events)
	if err != nil {
		end = errored(err.Error())
		events.follow(journal.Record{Kind: journal.Verdict, Verdict: end.Verdict, Text: end.Reason, Attempt: 1})
	}
	return end
}

// make makes one run when the target is free. An error means that there was no
// run to speak of.
func (q *queue) make(ctx context.Context, r *run, events *announcer) (api.End, error) {
	limited, cancel := context.WithTimeoutCause(ctx, q.LeaseWait, fmt.Errorf("waited %v for the target", q.LeaseWait))
	held, err := q.lock.acquire(limited, r.waiting)
	cancel()
	switch {
	case ctx.Err() != nil && err != nil:
		return api.End{}, errStopping
	case err != nil:
		return api.End{}, err
	}
	defer q.lock.release(ctx, held)
	began := time.Now()
	defer func() { q.metrics.duration.WithLabelValues(r.plan.Experiment).Observe(time.Since(began).Seconds()) }()
	if err := held.Note(ctx, r.name); err != nil {
		return api.End{}, err
	}
	file, err := q.archive.create(r.plan.Experiment, r.name)
	if err != nil {
		return api.End{}, err
	}
	guarded, stop := held.Guard(ctx)
	defer stop()
	live := report.NewLive(r, false)
	watch := &stopwatch{metrics: q.metrics, plan: r.plan}
	history := journal.New(file, live.Follow, watch.follow, events.follow)
	outcome, err := q.Runner.Run(guarded, runs.Spec{Run: r.name, Plan: r.plan, Journal: history})
	live.Close()
	if err = errors.Join(err, file.Close()); err != nil || len(outcome.Left) > 0 {
		// How far a run came that failed nobody knows.
		q.lock.runDied()
	}
	if err != nil {
		return api.End{}, err
	}
	made := report.Runs(history.Records())
	if len(made) != 1 {
		return api.End{}, errors.New("the journal tells of no run")
	}
	return endOf(made[0])
}
