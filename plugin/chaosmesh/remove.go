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
)

const (
	// askToFree asks Chaos Mesh to take its finalizer off. It does so once it
	// gets there: not while it tries again and again what fails.
	askToFree = `{"metadata":{"annotations":{"chaos-mesh.chaos-mesh.org/cleanFinalizer":"forced"}}}`
	// takeFree takes the finalizer off.
	takeFree = `{"metadata":{"finalizers":null}}`
)

// pause lies between a delete that failed and the next one.
const pause = 200 * time.Millisecond

// removal is one removal of an object.
type removal struct {
	driver *Driver
	identity
	object fault.Object
	// applied is nil for an object that this driver did not apply.
	applied *applied
	leaving *departure
	start   time.Time
	// last is the object as it was last looked at.
	last fault.Object
	// tried is how many ways to free it were tried, and refused why the last
	// one could not be.
	tried   int
	refused error
	// forgetting is since when it was tried in vain to take its rules from its
	// pods, and ruled are the pods that they could not be taken from.
	forgetting time.Time
	ruled      []types.NamespacedName
	// forced says that the object was freed, or was to be, whatever has become
	// of the fault.
	forced bool
}

// Remove deletes the object and returns when it has been seen gone; see
// [engine.Driver]. A delete that fails is tried again until ctx ends, unless
// it would be refused again. One that hangs on Chaos Mesh's finalizer is told,
// and freed after a while; if the fault may still be on a pod then, that is an
// error that says so.
func (d *Driver) Remove(ctx context.Context, object fault.Object) error {
	id := identify(object)
	if !slices.Contains(d.options.Namespaces, id.namespace) {
		return fmt.Errorf("remove %s: its namespace is not watched, only %s", id, strings.Join(d.options.Namespaces, ", "))
	}
	r := &removal{driver: d, identity: id, object: object, start: time.Now()}
	d.mu.Lock()
	if d.closing {
		d.mu.Unlock()
		return fmt.Errorf("remove %s: %w", id, ErrClosed)
	}
	if r.applied = d.faults[id]; r.applied != nil {
		r.applied.removing = true
		r.applied.patient()
	}
	if r.leaving = d.leaving[id]; r.leaving == nil {
		r.leaving = &departure{seen: make(chan struct{})}
		d.leaving[id] = r.leaving
	}
	d.mu.Unlock()
	err := r.run(ctx)
	if err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	return nil
}

func (r *removal) run(ctx context.Context) error {
	there, err := r.delete(ctx)
	if err != nil {
		return err
	}
	if there {
		if err := r.await(ctx); err != nil {
			return err
		}
	}
	r.driver.mu.Lock()
	r.driver.left(r.identity)
	r.driver.mu.Unlock()
	if r.applied != nil {
		if err := r.settle(ctx); err != nil {
			return err
		}
	}
	return r.remains()
}

// delete asks the API server to delete the object until that has an answer, and
// says whether there is one to wait for.
func (r *removal) delete(ctx context.Context) (bool, error) {
	options := []client.DeleteOption{client.PropagationPolicy(metav1.DeletePropagationBackground)}
	if r.applied != nil && r.applied.uid != "" {
		options = append(options, client.Preconditions{UID: &r.applied.uid})
	}
	for {
		err := r.driver.client.Delete(ctx, r.empty(), options...)
		switch {
		case err == nil:
			r.refused = nil
			return true, nil
		case apierrors.IsNotFound(err) && !isNoResource(err), apierrors.IsConflict(err):
			return false, nil
		case ctx.Err() != nil:
			return false, r.undeleted(ctx.Err())
		}
		err = explain(err, "delete", resource(r.kind), r.namespace)
		if final(err) {
			r.refused = nil
			return false, r.undeleted(err)
		}
		if r.refused == nil || r.refused.Error() != err.Error() {
			r.note(fmt.Sprintf("%s could not be deleted, which is tried again: %v", r.identity, err))
		}
		r.refused = err
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, r.undeleted(ctx.Err())
		case <-r.driver.closed:
			return false, ErrClosed
		}
	}
}

// undeleted says that the object was not deleted.
func (r *removal) undeleted(err error) error {
	if r.refused != nil {
		err = errors.Join(err, r.refused)
	}
	return fmt.Errorf("it could not be deleted, so the fault may still be on: %w", err)
}

// await waits until the object has been seen gone.
func (r *removal) await(ctx context.Context) error {
	limits := r.driver.options.Limits
	notice, free := time.NewTimer(limits.Notice), time.NewTimer(limits.Free)
	defer notice.Stop()
	defer free.Stop()
	for {
		select {
		case <-r.leaving.seen:
			return nil
		case <-notice.C:
			if r.look(ctx) {
				return nil
			}
			r.note(fmt.Sprintf("%s is deleted and still there after %v: %s", r.identity, limits.Notice, r.hangs()))
			if r.last != nil && r.hopeless() {
				free.Reset(0)
			}
		case <-free.C:
			if r.look(ctx) {
				return nil
			}
			r.free(ctx)
			free.Reset(limits.Notice)
		case <-ctx.Done():
			return r.stuck(ctx.Err())
		case <-r.driver.closed:
			return ErrClosed
		}
	}
}

// look reads the object once, and says whether it is gone.
func (r *removal) look(ctx context.Context) bool {
	object := r.empty()
	err := r.driver.client.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: r.name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return true
	case ctx.Err() != nil:
		return false
	case err != nil:
		r.refused = explain(err, "get", resource(r.kind), r.namespace)
		return false
	case r.applied != nil && r.applied.uid != "" && object.GetUID() != r.applied.uid:
		return true
	}
	r.last = object
	return false
}

// hangs says what keeps the object.
func (r *removal) hangs() string {
	if r.last == nil {
		return "it was not looked at"
	}
	text := "nothing keeps it"
	if finalizers := r.last.GetFinalizers(); len(finalizers) > 0 {
		text = "its finalizer " + strings.Join(finalizers, ", ") + " keeps it"
	}
	for _, operation := range []v1alpha1.RecordEventOperation{v1alpha1.Recover, v1alpha1.Apply} {
		if record, message := broken(status(r.last), operation); record != nil {
			return fmt.Sprintf("%s; Chaos Mesh says of %s: %s", text, record.Id, strings.TrimSpace(message))
		}
	}
	return text + ", and Chaos Mesh does not say why"
}

// way is one way to free an object.
type way int

const (
	// forgetting: what Chaos Mesh cannot carry out is forgotten, so that it
	// comes to an end by itself.
	forgetting way = iota
	// asking: Chaos Mesh is asked to let go.
	asking
	// forcing: the finalizer is taken off.
	forcing
)

// next is the way to try now.
func (r *removal) next() way {
	next := forcing
	switch {
	case r.tried == 0 && r.kind == fault.NetworkChaos:
		next = forgetting
	case r.tried <= 1 && !r.hopeless():
		next = asking
	}
	return next
}

// hopeless says whether Chaos Mesh tries for ever to inject the object before
// it takes it off again. It does not get to being asked then.
func (r *removal) hopeless() bool {
	return len(lingering(status(r.last))) == 0 && failure(status(r.last)) != ""
}

// free tries the next way to free the object.
func (r *removal) free(ctx context.Context) {
	if r.last == nil {
		return // it could not be looked at
	}
	var what string
	var err error
	way := r.next()
	switch way {
	case forgetting:
		if r.forgetting.IsZero() {
			r.forgetting = time.Now()
		}
		what, err = "its rules were taken from its pods", r.forget(ctx)
	case asking:
		what, err = "Chaos Mesh was asked to free it", r.patch(ctx, askToFree)
	case forcing:
		what, err = "it was freed of its finalizer by force", r.patch(ctx, takeFree)
	}
	if way != forgetting && (err == nil || uncertain(err)) {
		r.forced = true
	}
	if ctx.Err() != nil {
		return
	}
	// What is refused is tried again. Without its rules having been taken the
	// object can still be freed, and that is put off no longer than this.
	if err == nil || way == forgetting && time.Since(r.forgetting) >= r.driver.options.Limits.Free {
		r.tried++
	}
	waited := time.Since(r.start).Round(100 * time.Millisecond)
	switch {
	case err == nil:
		r.note(fmt.Sprintf("%s is not gone after %v: %s", r.identity, waited, what))
	case r.refused == nil || r.refused.Error() != err.Error():
		r.note(fmt.Sprintf("%s is not gone after %v, and it could not be freed: %v", r.identity, waited, err))
	}
	r.refused = err
}

func (r *removal) patch(ctx context.Context, patch string) error {
	err := r.driver.client.Patch(ctx, r.empty(), client.RawPatch(types.MergePatchType, []byte(patch)))
	if apierrors.IsNotFound(err) && !isNoResource(err) {
		return nil // the watch tells it in a moment
	}
	return explain(err, "patch", resource(r.kind), r.namespace)
}

// stuck says that the object is deleted, and that it was not seen gone.
func (r *removal) stuck(err error) error {
	mesh := r.driver.options.ChaosMeshNamespace
	if r.refused != nil {
		err = errors.Join(err, r.refused)
	}
	return fmt.Errorf("it is deleted and was not seen gone, so the fault may still be on: %s; is Chaos Mesh's chaos-controller-manager running? kubectl --namespace %s get pods --selector %s: %w",
		r.hangs(), mesh, controllerLabel, err)
}

// settle waits for what the fault has yet to stop, and observes Removed.
func (r *removal) settle(ctx context.Context) error {
	d, a := r.driver, r.applied
	timer := time.NewTimer(d.options.Limits.Down + a.grace())
	defer timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for over := false; !over && a.expectsDown(); {
		changed := d.changed
		d.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			err = ctx.Err()
		case <-d.closed:
			err = ErrClosed
		}
		d.mu.Lock()
		if err != nil {
			return err
		}
		if over && a.expectsDown() {
			a.note(time.Now(), "it was injected, and nothing was seen to go down")
		}
	}
	if a.removed || a.created.IsZero() {
		return nil
	}
	now := time.Now()
	a.emit(plan.Removed, now, fmt.Sprintf("%s was seen gone %.2f s after it was deleted", a, now.Sub(r.start).Seconds()))
	a.removed = true
	if a.outage == nil || a.down.IsZero() || !a.ready.IsZero() {
		delete(d.faults, a.identity)
	}
	return nil
}

// grace is how long what a kill hits may take to end.
func (a *applied) grace() time.Duration {
	if chaos, ok := a.object.(*v1alpha1.PodChaos); ok {
		return time.Duration(chaos.Spec.GracePeriod) * time.Second
	}
	return 0
}

// expectsDown says whether the fault is on its way to stop something.
func (a *applied) expectsDown() bool {
	return a.outage != nil && !a.removed && !a.injected.IsZero() && a.down.IsZero()
}

// note tells what there is to say about the removal.
func (r *removal) note(text string) {
	r.driver.mu.Lock()
	defer r.driver.mu.Unlock()
	switch {
	case r.applied != nil:
		r.applied.note(time.Now(), text)
	case r.driver.options.Tell != nil:
		r.driver.options.Tell(text)
	}
}
