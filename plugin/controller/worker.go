package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// endLimit is how long a Run that is deleted may take to clean up. Then what
	// is left is listed, and the Run goes.
	endLimit = 2 * time.Minute
	// takenLimit is how long an API server that does not answer is asked to
	// store what came of a run.
	takenLimit = 2 * time.Minute
)

var (
	errDeleted = errors.New("the Run was deleted")
	errGone    = errors.New("the Run is gone")
	errGivenUp = fmt.Errorf("the Run was deleted, and was not cleaned up within %v", endLimit)
)

// active is a Run whose turn it is.
type active struct {
	uid types.UID
	// begun says that another process has begun it: it is not ended, but cleaned
	// up after.
	begun bool
	// end ends the run, and closing abandon the clean-up too.
	end     context.CancelCauseFunc
	abandon chan struct{}
	ending  sync.Once
}

// endDeleted ends the Run because it was deleted at a time.
func (a *active) endDeleted(at time.Time) {
	a.ending.Do(func() {
		if !a.begun {
			a.end(errDeleted)
		}
		time.AfterFunc(time.Until(at.Add(endLimit)), func() {
			a.end(errGivenUp)
			close(a.abandon)
		})
	})
}

// Start makes the Runs whose turn it is, one after another, until ctx ends. The
// one that is then under way is ended and cleaned up; the others stay queued.
func (q *queue) Start(ctx context.Context) error {
	defer q.telling.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case next := <-q.turn:
			q.serve(ctx, next.run, next.known)
			q.lookAgain()
		}
	}
}

// serve does what a Run needs whose turn it is.
func (q *queue) serve(ctx context.Context, run *v1alpha1.Run, known *entry) {
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	one := &active{uid: run.UID, end: end, abandon: make(chan struct{})}
	// The reconciler may have handed it over twice.
	if err := q.Cluster.Get(ctx, client.ObjectKeyFromObject(run), run); err != nil || run.UID != one.uid || isFinished(run) {
		return
	}
	one.begun = isBegun(run)
	q.active.Store(one)
	defer q.active.Store(nil)
	if at := run.DeletionTimestamp; at != nil {
		one.endDeleted(at.Time)
	}
	if one.begun {
		q.cleanUpAfter(ctx, running, run, known)
		return
	}
	q.make(ctx, running, one.abandon, run, known)
}

// cleanUpAfter ends a Run that was under way when its controller died.
func (q *queue) cleanUpAfter(ctx, running context.Context, run *v1alpha1.Run, known *entry) {
	const died = "the controller died in the middle of the run"
	held, err := q.lock.acquire(running, func(text string) { q.Log.Info("clean up after a dead run", "run", run.Name, "status", text) })
	reason, left := died+"; its faults were removed", run.Status.Left
	switch {
	case err == nil:
		defer q.lock.release(running, held)
		// It may have been another controller's, which has ended it meanwhile.
		if err := q.Cluster.Get(running, client.ObjectKeyFromObject(run), run); err != nil || isFinished(run) {
			return
		}
	case errors.Is(context.Cause(running), errGivenUp):
		reason = fmt.Sprintf("%s, and its faults may be left: %v", died, err)
		left = append(left, document.OneLine(reason, 1000))
	case running.Err() != nil:
		return
	default:
		q.Log.Error("what a dead run left is not removed", "run", run.Name, "error", err, "again", sweepAgain)
		select {
		case <-time.After(sweepAgain):
		case <-running.Done():
		}
		return
	}
	before := run.DeepCopy()
	run.Status.Left = left
	q.conclude(ctx, run, before, known.teller, errored(reason))
}

// make makes a Run when the target is free.
func (q *queue) make(ctx, running context.Context, abandon <-chan struct{}, run *v1alpha1.Run, known *entry) {
	held, err := q.lock.acquire(running, func(text string) {
		if err := q.waits(running, run, known, text); err != nil {
			q.Log.Info("a Run does not say for what it waits", "run", run.Name, "error", err)
		}
	})
	if err == nil {
		defer q.lock.release(ctx, held)
		err = q.begin(running, run)
	}
	if err != nil {
		switch cause := context.Cause(running); {
		case errors.Is(cause, errDeleted), errors.Is(cause, errGivenUp):
			// Somebody else's finalizer may keep it: it is to be in nobody's way.
			err = cause
		case cause != nil, errors.Is(err, errGone):
			return
		}
		q.conclude(ctx, run, run.DeepCopy(), known.teller, errored(err.Error()))
		return
	}
	err = held.Note(running, run.Status.ID)
	q.metrics.begun(run.Status.Experiment)
	q.metrics.inProgress.Set(1)
	defer q.metrics.inProgress.Set(0)
	if known.mapping != nil {
		guarded, stop := held.Guard(running)
		defer stop()
		q.makeMap(ctx, guarded, abandon, run, known)
		return
	}
	p := q.follow(ctx, run, known)
	history := journal.New(io.Discard, p.add)
	var left []string
	if err == nil {
		guarded, stop := held.Guard(running)
		defer stop()
		spec := runs.Spec{Run: run.Status.ID, Plan: known.plan, Attempts: int(run.Spec.Attempts), Journal: history, Abandon: abandon}
		outcome, failed := q.Runner.Run(guarded, spec, func(text string) {
			q.Log.Info("before a run: "+text, "run", run.Name)
			known.onRun(false, "Found", text)
		})
		left, err = outcome.Left, failed
	}
	if err != nil || len(left) > 0 {
		// How far a run came that failed nobody knows.
		q.lock.runDied()
	}
	q.end(ctx, p, history, err)
}

// begin marks a Run as under way: from then on it is cleaned up whatever
// happens.
func (q *queue) begin(ctx context.Context, run *v1alpha1.Run) error {
	before := run.DeepCopy()
	controllerutil.AddFinalizer(run, Finalizer)
	err := untilTaken(ctx, func(ctx context.Context) error { return q.Cluster.Patch(ctx, run, client.MergeFrom(before)) })
	switch {
	case apierrors.IsNotFound(err):
		return errGone
	case err != nil:
		return fmt.Errorf("mark the Run: %w", err)
	}
	before = run.DeepCopy()
	run.Status.Phase, run.Status.StartTime = v1alpha1.Running, new(metav1.NowMicro())
	meta.SetStatusCondition(&run.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionStarted, Status: metav1.ConditionTrue, Reason: "Running", Message: "it has the target for itself",
	})
	return q.store(ctx, run, before)
}

// ending is how a Run ended.
type ending struct {
	verdict.Judgement
	// outcome is what is told in place of the reason; empty tells the reason.
	outcome string
	// trace is the ID of the trace that is sent of it; empty is none.
	trace string
}

// errored is the end of a Run of which nothing else is known.
func errored(reason string) ending {
	return ending{Judgement: verdict.Judgement{Verdict: verdict.Error, Reason: reason}}
}

// end stores what came of a run, and where its journal is.
func (q *queue) end(ctx context.Context, p *progress, history *journal.Journal, err error) {
	p.close()
	outage, recovered := q.metrics.faults(p.known.plan, history.Records())
	run, ended, trace := p.run, errored("the journal tells of no run"), q.Traces.Send(history.Records())
	if err != nil {
		ended = errored(err.Error())
	} else if made := report.Runs(history.Records()); len(made) == 1 {
		ended = ending{Judgement: verdict.Judgement{Verdict: made[0].Verdict, Reason: made[0].Reason}, outcome: p.outcome(made[0], outage, recovered)}
		q.metrics.recovered(made[0], trace)
	}
	ended.trace = trace
	if run.Status.Journal, err = q.keep(ctx, run, history.Records()); err != nil {
		q.lost(run, p.known.teller, "the journal", err)
	}
	observe(q.metrics.duration.WithLabelValues(run.Status.Experiment), time.Since(run.Status.StartTime.Time).Seconds(), ended.trace)
	q.conclude(ctx, run, p.stored, p.known.teller, ended)
}

// conclude is [queue.finish] where nobody tries again.
func (q *queue) conclude(ctx context.Context, run, before *v1alpha1.Run, told *teller, ended ending) {
	if err := q.finish(ctx, run, before, told, ended); err != nil {
		q.Log.Error("the end of a run was not stored", "run", run.Name, "error", err)
	}
}

// finish ends a Run, and tells its verdict, the last thing that is told of it.
func (q *queue) finish(ctx context.Context, run, before *v1alpha1.Run, told *teller, ended ending) error {
	status := &run.Status
	status.Phase, status.CompletionTime = v1alpha1.Finished, new(metav1.NowMicro())
	status.Verdict, status.Reason = string(ended.Verdict), document.OneLine(ended.Reason, 2000)
	message := cmp.Or(ended.outcome, status.Reason)
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionFinished, Status: metav1.ConditionTrue, Reason: status.Verdict, Message: message,
	})
	if err := q.store(ctx, run, before); err != nil {
		return client.IgnoreNotFound(err)
	}
	q.metrics.counted(status.Experiment, status.Verdict, ended.trace)
	q.Log.Info("run ended", "run", run.Name, "experiment", status.Experiment, "verdict", status.Verdict, "reason", status.Reason, "trace", ended.trace)
	normal, reason, text := ended.Verdict == verdict.Passed, status.Verdict, status.Verdict+": "+message
	told.onRun(normal, reason, text)
	if told.schedule != nil {
		q.telling.Go(func() {
			q.settled(ctx, told)
			told.onSchedule(normal, reason, text)
		})
	}
	return nil
}

// store writes the status of a Run, where it is another one than before.
func (q *queue) store(ctx context.Context, run, before *v1alpha1.Run) error {
	return untilTaken(ctx, func(ctx context.Context) error {
		return q.Cluster.Status().Patch(ctx, run.DeepCopy(), client.MergeFrom(before))
	})
}

// untilTaken does what is asked of the API server until that answers. A patch
// conflicts with nobody's.
func untilTaken(ctx context.Context, do func(context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	patience := wait.Backoff{Duration: time.Second, Steps: int(takenLimit / time.Second)}
	return retry.OnError(patience, lease.Transient, func() error { return do(ctx) })
}
