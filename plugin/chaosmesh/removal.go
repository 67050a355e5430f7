package chaosmesh

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// removal is one removal of an object, under the driver's lock but for requests and waits.
type removal struct {
	*activeFault
	start time.Time
	err   error // why the last request failed
	// step is the step of the escalation that comes next, tried since began.
	step  int
	began time.Time
	// forced says that the object was freed, or may have been, whatever has
	// become of the fault, and ruled from which pods its rules were not taken.
	forced bool
	ruled  []types.NamespacedName
	// dropped is when its rules were taken from its pods, and version the object's
	// resource version when it was looked at last since then.
	dropped time.Time
	version string
}

// Remove deletes the object and returns when it has been seen gone; see
// [engine.Driver]. A delete that fails is tried again until ctx ends, unless it
// would be refused again. An object that hangs on its finalizer is freed after
// a while; that the fault may still be on a pod then is an error.
func (d *Driver) Remove(ctx context.Context, object fault.Object) error {
	id := identify(object)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !slices.Contains(d.options.Namespaces, id.Namespace):
		return fmt.Errorf("remove %s: its namespace is not watched, only %s", id, strings.Join(d.options.Namespaces, ", "))
	case d.unwatched[id.kind] != nil:
		return fmt.Errorf("remove %s: %w", id, d.unwatched[id.kind])
	case d.lifetime.Err() != nil:
		return fmt.Errorf("remove %s: %w", id, ErrClosed)
	}
	f := d.faults[id]
	if f == nil {
		f = &activeFault{driver: d, identity: id, object: object, observe: func(moment engine.Moment) {
			if d.options.Tell != nil {
				d.options.Tell(moment.Detail)
			}
		}}
		d.faults[id] = f
		defer f.forget()
	}
	f.removing = true
	r := &removal{activeFault: f, start: time.Now()}
	for _, do := range []func(context.Context) error{r.delete, r.awaitGone, r.settle, r.residual} {
		if err := do(ctx); err != nil {
			return fmt.Errorf("remove %s: %w", id, err)
		}
	}
	return nil
}

// retryPause is the longest pause between a delete that failed and the next.
const retryPause = 200 * time.Millisecond

// delete asks the API server to delete the object until that has an answer.
func (r *removal) delete(ctx context.Context) error {
	options := []client.DeleteOption{client.PropagationPolicy(metav1.DeletePropagationBackground)}
	if r.uid != "" {
		options = append(options, client.Preconditions{UID: &r.uid})
	}
	for {
		err := r.driver.unlocked(func() error { return r.driver.client.Delete(ctx, r.empty(), options...) })
		gone := isGone(err) || apierrors.IsConflict(err)
		if r.gone = r.gone || gone; err == nil || gone {
			r.err = nil
			return nil
		}
		over := ctx.Err()
		switch err = r.explain(err, "delete"); {
		case over != nil:
		case final(err):
			over, r.err = err, nil
		default:
			r.failed(err, "%s could not be deleted, which is tried again", r.identity)
			over = r.driver.wait(ctx, time.Now().Add(retryPause))
		}
		if over != nil {
			return fmt.Errorf("it could not be deleted, so the fault may still be on: %w", errors.Join(over, r.err))
		}
	}
}

// awaitGone waits until the object was seen gone, and escalates when it is not.
func (r *removal) awaitGone(ctx context.Context) error {
	limits := r.driver.options.Limits
	reported, due := false, time.Now().Add(limits.Notice)
	for !r.gone {
		if time.Now().Before(due) {
			if err := r.driver.wait(ctx, due); err != nil {
				return fmt.Errorf("it is deleted and was not seen gone, so the fault may still be on: %s; is Chaos Mesh's chaos-controller-manager running? %s: %w",
					r.keptBy(), getController, errors.Join(err, r.err))
			}
			continue
		}
		object, err := r.get(ctx)
		switch {
		case err == nil && object == nil:
			return nil
		case err == nil && !r.gone:
			r.latest = object
		case err != nil && !isOver(ctx):
			r.err = err
		}
		wait := limits.Notice
		if reported {
			r.escalate(ctx)
		} else {
			r.note(time.Now(), fmt.Sprintf("%s is deleted and still there after %v: %s", r.identity, limits.Notice, r.keptBy()))
			if wait = limits.Free - limits.Notice; r.neverInjected() {
				wait = 0
			}
		}
		reported, due = true, time.Now().Add(wait)
	}
	return nil
}

func (r *removal) keptBy() string {
	if r.latest == nil {
		return "it could not be read"
	}
	text := "nothing keeps it"
	if finalizers := r.latest.GetFinalizers(); len(finalizers) > 0 {
		text = "its finalizer " + strings.Join(finalizers, ", ") + " keeps it"
	}
	for _, operation := range []v1alpha1.RecordEventOperation{v1alpha1.Recover, v1alpha1.Apply} {
		if record, message := broken(r.latest.GetStatus(), operation); record != nil {
			return fmt.Sprintf("%s; Chaos Mesh says of %s: %s", text, record.Id, strings.TrimSpace(message))
		}
	}
	return text + ", and Chaos Mesh does not say why"
}

// escalation lists what is done, in this order, about an object that is deleted
// and stays: the first step that applies after [Limits].Free, or at once if
// Chaos Mesh would never end by itself, and the others [Limits].Notice apart. A
// step that fails is tried again.
var escalation = []struct {
	done    string
	do      func(*removal, context.Context) error
	applies func(*removal) bool
	// optional says that the next step is put off for no longer than
	// [Limits].Free when this one fails.
	optional bool
	// frees says that the object may go with the fault still on.
	frees bool
}{
	{
		done: "its rules were taken from its pods", do: (*removal).dropRules, optional: true,
		applies: func(r *removal) bool { return r.kind == fault.NetworkChaos },
	},
	{
		// Chaos Mesh takes its finalizer off once it gets there: not while it
		// tries again and again to inject what it cannot.
		done: "Chaos Mesh was asked to free it", frees: true,
		do:      patch(`{"metadata":{"annotations":{"chaos-mesh.chaos-mesh.org/cleanFinalizer":"forced"}}}`),
		applies: func(r *removal) bool { return !r.neverInjected() },
	},
	{
		done: "it was freed of its finalizer by force", frees: true,
		do:      patch(`{"metadata":{"finalizers":null}}`),
		applies: func(*removal) bool { return true },
	},
}

// neverInjected reports whether Chaos Mesh tries for ever to inject the object
// before it takes it off again.
func (r *removal) neverInjected() bool {
	return failure(r.status()) != "" && !slices.ContainsFunc(r.status().Experiment.Records, isStillInjected)
}

// next is the first step that applies from the one reached; the last one does.
func (r *removal) next() int {
	step := r.step
	for !escalation[step].applies(r) {
		step++
	}
	return step
}

// isRecovering reports whether Chaos Mesh has worked on the object since it was looked
// at last, which it brings to its end once the rules of its pods were dropped. On a
// busy machine that takes some seconds; after [Limits].Free it is not believed any more.
func (r *removal) isRecovering() bool {
	version := r.latest.GetResourceVersion()
	defer func() { r.version = version }()
	return version != r.version && time.Since(r.dropped) < r.driver.options.Limits.Free
}

func (r *removal) escalate(ctx context.Context) {
	if r.latest == nil {
		return // it could not be read
	}
	if r.isRecovering() {
		return
	}
	r.step = r.next()
	step := escalation[r.step]
	if r.began.IsZero() {
		r.began = time.Now()
	}
	err := step.do(r, ctx)
	if step.frees && (err == nil || uncertain(err)) {
		r.forced = true
	}
	if isOver(ctx) {
		return
	}
	waited := time.Since(r.start).Round(100 * time.Millisecond)
	if err == nil {
		r.err = nil
		r.note(time.Now(), fmt.Sprintf("%s is not gone after %v: %s", r.identity, waited, step.done))
	} else {
		r.failed(err, "%s is not gone after %v, and it could not be freed", r.identity, waited)
	}
	over := err == nil || step.optional && time.Since(r.began) >= r.driver.options.Limits.Free
	if over && r.step+1 < len(escalation) {
		r.step, r.began = r.step+1, time.Time{}
	}
}

// isOver reports whether ctx has ended. A request that is made at its deadline can
// fail for want of time before it has.
func isOver(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}

func patch(text string) func(*removal, context.Context) error {
	return func(r *removal, ctx context.Context) error {
		err := r.driver.unlocked(func() error {
			return r.driver.client.Patch(ctx, r.empty(), client.RawPatch(types.MergePatchType, []byte(text)))
		})
		if isGone(err) {
			return nil // the watch reports it in a moment
		}
		return r.explain(err, "patch")
	}
}

// failed notes that a request failed, unless the last one failed alike.
func (r *removal) failed(err error, format string, args ...any) {
	if r.err == nil || r.err.Error() != err.Error() {
		r.note(time.Now(), fmt.Sprintf(format, args...)+": "+err.Error())
	}
	r.err = err
}

// downLimit is how long a removed kill is still watched for what it stops,
// beyond its grace period.
const downLimit = 10 * time.Second

// settle waits for what the fault has yet to stop, and observes Removed.
func (r *removal) settle(ctx context.Context) error {
	deadline := time.Now().Add(downLimit)
	if chaos, ok := r.object.(*v1alpha1.PodChaos); ok {
		deadline = deadline.Add(time.Duration(chaos.Spec.GracePeriod) * time.Second)
	}
	for r.pendingDown() {
		if !time.Now().Before(deadline) {
			r.note(time.Now(), "it was injected, and nothing was seen to go down")
			break
		}
		if err := r.driver.wait(ctx, deadline); err != nil {
			return err
		}
	}
	if r.removed || r.phase == "" {
		return nil
	}
	now := time.Now()
	r.emit(engine.Moment{Event: plan.Removed, At: now, Detail: fmt.Sprintf("%s was seen gone %.2f s after it was deleted", r, now.Sub(r.start).Seconds())})
	r.removed = true
	r.advance(now)
	return nil
}
