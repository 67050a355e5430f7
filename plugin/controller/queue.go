package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	chaosmesh "github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// atOnce is how many Runs are taken in at a time.
const atOnce = 10

// Finalizer keeps a Run that is under way until it is cleaned up.
const Finalizer = "emco-chaos.io/clean-up"

// queue reconciles all Runs of the controller's namespace as one: it gives them
// their turn in the order of their creation, tells those that wait for what, and
// removes old ones. It reads the API server and no cache, so that what it has
// just written counts.
type queue struct {
	Parts
	lock *targetLock
	// turn has the next of the worker.
	turn chan turn
	// again has the queue looked at when no Run has changed.
	again chan event.GenericEvent

	// telling are the verdicts that are not on their Schedules yet, and what is
	// compiled.
	telling sync.WaitGroup

	// active is what the worker does; nil when it waits for a turn.
	active atomic.Pointer[active]
	// entries are of the Runs that have not finished. They are the reconciler's.
	entries map[types.UID]*entry
}

// turn is a Run whose turn it is.
type turn struct {
	run   *v1alpha1.Run
	known *entry
}

// entry is what the controller knows of a Run that has not finished, besides
// the object.
type entry struct {
	*teller
	work
	// owner is the Workflow that asked, which is to own the Run; nil is none.
	owner *chaosmesh.Workflow
	// compiled gets the work, once that is looked for, and prepared says that it
	// was found. One that another process has begun needs none.
	compiled chan work
	prepared bool
}

// work is what a Run is to do.
type work struct {
	// experiment is how it is called.
	experiment string
	// plan is of a Run of an experiment, and mapping of one that makes a crash map.
	plan    *plan.Plan
	mapping Mapping
	// wrong is what is wrong with the Run's spec.
	wrong error
}

// Reconcile looks at all Runs.
func (q *queue) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	var all v1alpha1.RunList
	if err := q.Cluster.List(ctx, &all, client.InNamespace(q.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("list the Runs: %w", err)
	}
	finished := slices.DeleteFunc(slices.Clone(all.Items), func(run v1alpha1.Run) bool { return !isFinished(&run) })
	waiting := slices.DeleteFunc(all.Items, func(run v1alpha1.Run) bool { return isFinished(&run) })
	slices.SortFunc(waiting, inOrder)
	working := q.endDeleted(waiting)
	admitted, errs := q.admitAll(ctx, waiting)
	entries, queued := map[types.UID]*entry{}, 0
	var first *v1alpha1.Run
	var telling errgroup.Group
	telling.SetLimit(atOnce)
	for i := range waiting {
		run, one := &waiting[i], admitted[i]
		if one == nil {
			continue
		}
		place := len(entries)
		entries[run.UID] = one
		if place == 0 {
			first = run
		} else if !isBegun(run) && run.UID != working {
			queued++
			why := fmt.Sprintf("waits for its turn: %d runs before it", place)
			if place == 1 {
				why = "waits for its turn: 1 run before it"
			}
			telling.Go(func() error { return q.waits(ctx, run, one, why) })
		}
	}
	errs = append(errs, telling.Wait())
	q.metrics.queued.Set(float64(queued))
	q.metrics.kept(finished)
	for i, one := range admitted {
		if one == nil || one.prepared {
			continue
		}
		done, err := q.prepare(ctx, &waiting[i], one)
		errs = append(errs, err)
		if !done {
			break // one plugin at a time
		}
	}
	q.entries = entries
	if first != nil && working == "" && entries[first.UID].prepared {
		q.hand(turn{first.DeepCopy(), entries[first.UID]})
	}
	next, err := q.prune(ctx, finished)
	return reconcile.Result{RequeueAfter: next}, errors.Join(append(errs, err)...)
}

func isFinished(run *v1alpha1.Run) bool { return run.Status.Phase == v1alpha1.Finished }

// isBegun reports whether a Run has been given its turn, here or elsewhere.
func isBegun(run *v1alpha1.Run) bool {
	return run.Status.StartTime != nil || controllerutil.ContainsFinalizer(run, Finalizer)
}

// inOrder orders Runs by their creation, those first that have begun already.
// The time of creation is in seconds: within one it is the order in which the
// API server stored those that were not touched since.
func inOrder(a, b v1alpha1.Run) int {
	begun := func(run *v1alpha1.Run) int {
		if isBegun(run) {
			return 0
		}
		return 1
	}
	queued := func(run *v1alpha1.Run) time.Time {
		return ptr.Deref(run.Status.QueuedTime, metav1.NewMicroTime(time.Unix(1<<40, 0))).Time
	}
	version := func(run *v1alpha1.Run) uint64 {
		number, _ := strconv.ParseUint(run.ResourceVersion, 10, 64)
		return number
	}
	return cmp.Or(
		cmp.Compare(begun(&a), begun(&b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), queued(&a).Compare(queued(&b)),
		cmp.Compare(version(&a), version(&b)), cmp.Compare(a.Name, b.Name),
	)
}

// endDeleted ends what the worker does when its Run is deleted, and returns
// whose turn it is.
func (q *queue) endDeleted(waiting []v1alpha1.Run) (working types.UID) {
	one := q.active.Load()
	if one == nil {
		return ""
	}
	deleted := new(metav1.Now())
	for _, run := range waiting {
		if run.UID == one.uid {
			deleted = run.DeletionTimestamp
		}
	}
	if deleted != nil {
		one.endDeleted(deleted.Time)
	}
	return one.uid
}

// hand gives a Run its turn. Only the reconciler does, so that there is room.
func (q *queue) hand(next turn) {
	select {
	case <-q.turn:
	default:
	}
	q.turn <- next
}

// admitAll takes Runs in, in their order: those that were queued within one second
// are in that of the times when they were.
func (q *queue) admitAll(ctx context.Context, waiting []v1alpha1.Run) ([]*entry, []error) {
	entries, errs, now := make([]*entry, len(waiting)), make([]error, len(waiting)), time.Now()
	workqueue.ParallelizeUntil(context.WithoutCancel(ctx), atOnce, len(waiting), func(i int) {
		entries[i], errs[i] = q.admit(ctx, &waiting[i], metav1.NewMicroTime(now.Add(time.Duration(i)*time.Microsecond)))
	})
	return entries, errs
}

// admit takes a Run in, and finds the Workflow that asked. One that cannot be run
// ends at once, and has no entry.
func (q *queue) admit(ctx context.Context, run *v1alpha1.Run, now metav1.MicroTime) (*entry, error) {
	if known := q.entries[run.UID]; known != nil {
		return known, nil
	}
	told, workflow, err := q.tellerOf(ctx, run)
	wrong, isWrong := errors.AsType[*originError](err)
	switch {
	case isBegun(run) && (err == nil || isWrong):
		return &entry{teller: told, prepared: true}, nil
	case isWrong:
		return nil, q.refuse(ctx, run, told, wrong)
	case err != nil:
		return nil, err
	case run.Spec.Target != "" && run.Spec.Target != q.Target:
		return nil, q.refuse(ctx, run, told, fmt.Errorf("spec.target: %q is not the target of this namespace's controller, which is %q; write that one or none",
			document.Shown(run.Spec.Target), q.Target))
	}
	if run.Status.Phase == "" {
		before := run.DeepCopy()
		run.Status.Phase, run.Status.ID, run.Status.QueuedTime = v1alpha1.Queued, runs.NewName(), &now
		if err := q.Cluster.Status().Patch(ctx, run, client.MergeFrom(before)); err != nil {
			return nil, client.IgnoreNotFound(err)
		}
		q.Log.Info("run queued", "run", run.Name)
	}
	return &entry{teller: told, owner: workflow}, nil
}

// complete writes whose a Run is and what it is to do.
func (q *queue) complete(ctx context.Context, run *v1alpha1.Run, one *entry) error {
	if before := run.DeepCopy(); one.experiment != run.Status.Experiment {
		run.Status.Experiment = one.experiment
		if err := q.Cluster.Status().Patch(ctx, run, client.MergeFrom(before)); err != nil {
			return err
		}
	}
	if one.owner == nil {
		return nil
	}
	before := run.DeepCopy()
	if err := controllerutil.SetOwnerReference(one.owner, run, q.Cluster.Scheme()); err != nil {
		return err
	}
	return q.Cluster.Patch(ctx, run, client.MergeFrom(before))
}

// prepare finds out what a Run is to do, and ends one that cannot be run. Until
// that is done others are told that they wait.
func (q *queue) prepare(ctx context.Context, run *v1alpha1.Run, one *entry) (done bool, err error) {
	if one.compiled == nil {
		one.compiled = make(chan work, 1)
		spec := run.Spec
		q.telling.Go(func() {
			one.compiled <- q.compile(ctx, spec)
			q.lookAgain()
		})
	}
	select {
	case one.work = <-one.compiled:
	default:
		return false, nil
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	err = q.complete(ctx, run, one)
	if err == nil && one.wrong != nil {
		err = q.refuse(ctx, run, one.teller, one.wrong)
	}
	if err != nil {
		one.compiled = nil
		return false, client.IgnoreNotFound(err)
	}
	one.prepared = one.wrong == nil
	return true, nil
}

// compile finds out what a Run is to do.
func (q *queue) compile(ctx context.Context, spec v1alpha1.RunSpec) (found work) {
	if spec.Map != nil {
		found.experiment = crashMap
		found.mapping, found.wrong = q.Runner.Map(*spec.Map)
		return found
	}
	source := sdk.Source{Experiment: spec.Experiment, Parameters: spec.Parameters}
	if spec.Text != "" {
		source.File, source.Text = "spec.text", []byte(spec.Text)
	}
	if found.plan, found.wrong = q.Runner.Compile(ctx, source); found.wrong == nil {
		found.experiment = found.plan.Experiment
	}
	return found
}

// lookAgain has the queue looked at.
func (q *queue) lookAgain() {
	select {
	case q.again <- event.GenericEvent{}:
	default:
	}
}

// refuse ends a Run that cannot be run.
func (q *queue) refuse(ctx context.Context, run *v1alpha1.Run, told *teller, why error) error {
	return q.finish(ctx, run, run.DeepCopy(), told, errored(why.Error()))
}

// waits tells for what a Run waits, if that is news.
func (q *queue) waits(ctx context.Context, run *v1alpha1.Run, told *entry, why string) error {
	before := run.DeepCopy()
	why = document.OneLine(why, 1000)
	if !meta.SetStatusCondition(&run.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionStarted, Status: metav1.ConditionFalse, Reason: "Waiting", Message: why,
	}) {
		return nil
	}
	if err := q.Cluster.Status().Patch(ctx, run, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(err)
	}
	told.onAll(true, "Waiting", why)
	return nil
}

// prune removes Runs that finished long ago, or before enough others of their
// experiment, and returns when to look again. It lets those go that are
// cleaned up.
func (q *queue) prune(ctx context.Context, finished []v1alpha1.Run) (next time.Duration, err error) {
	slices.SortFunc(finished, func(a, b v1alpha1.Run) int { return completion(&b).Compare(completion(&a)) })
	kept := map[string]int{}
	var errs []error
	for i := range finished {
		run := &finished[i]
		if before := run.DeepCopy(); controllerutil.RemoveFinalizer(run, Finalizer) {
			errs = append(errs, client.IgnoreNotFound(q.Cluster.Patch(ctx, run, client.MergeFrom(before))))
		}
		experiment := cmp.Or(run.Status.Experiment, run.Spec.Experiment)
		kept[experiment]++
		over := kept[experiment] > q.History
		if ttl := run.Spec.TTLAfterFinished; ttl != nil {
			left := time.Until(completion(run).Add(ttl.Duration))
			over = over || left <= 0
			if next == 0 || left < next {
				next = max(left, time.Second)
			}
		}
		if over && run.DeletionTimestamp.IsZero() {
			errs = append(errs, client.IgnoreNotFound(q.Cluster.Delete(ctx, run)))
		}
	}
	return next, errors.Join(errs...)
}

// completion is when a Run finished. Who may write its status may have left the
// time out.
func completion(run *v1alpha1.Run) time.Time {
	return ptr.Deref(run.Status.CompletionTime, metav1.NewMicroTime(run.CreationTimestamp.Time)).Time
}
