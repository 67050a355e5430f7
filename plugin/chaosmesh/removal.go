package chaosmesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// removal is one removal of an object, under the driver's lock but for requests
// and waits.
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
}

// Remove deletes the object and returns when it has been seen gone; see
// [engine.Driver]. A delete that fails is tried again until ctx ends, unless it
// would be refused again. An object that hangs on its finalizer is freed after
// a while; that the fault may still be on a pod then is an error.
func (d *Driver) Remove(ctx context.Context, object fault.Object) error {
	id := identify(object)
	if !slices.Contains(d.options.Namespaces, id.Namespace) {
		return fmt.Errorf("remove %s: its namespace is not watched, only %s", id, strings.Join(d.options.Namespaces, ", "))
	}
	if err := d.unwatched[id.kind]; err != nil {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lifetime.Err() != nil {
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
		switch {
		case err == nil:
			r.err = nil
			return nil
		case isGone(err), apierrors.IsConflict(err):
			r.gone = true
			return nil
		}
		again := ctx.Err()
		if again == nil {
			if err = r.explain(err, "delete"); final(err) {
				again, r.err = err, nil
			} else {
				r.failed(err, "%s could not be deleted, which is tried again", r.identity)
				again = r.driver.wait(ctx, time.Now().Add(retryPause))
			}
		}
		if again != nil {
			return fmt.Errorf("it could not be deleted, so the fault may still be on: %w", errors.Join(again, r.err))
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

// keptBy says what keeps the object.
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

func (r *removal) escalate(ctx context.Context) {
	if r.latest == nil {
		return // it could not be read
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

// patch makes a step of a merge patch of the object.
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

// residualFault is a fault that may still be on pods, its object being gone.
type residualFault struct {
	err  error
	pods map[types.UID]bool
}

// residual says that the fault may still be on, its object having been freed
// before Chaos Mesh had taken it off. The driver remembers that for as long as
// the pods are there. Chaos Mesh lets an object go only when the fault is off:
// that it is not is believed of one that was freed by force, or whose last
// state was seen.
func (r *removal) residual(context.Context) error {
	left := residualFault{pods: map[types.UID]bool{}}
	var why, remedies []string
	for _, reason := range []struct {
		text string
		is   func(*v1alpha1.Record) bool
	}{
		{"Chaos Mesh has not taken the fault off: it may still be on", isStillInjected},
		{"its rules stay with its pods: Chaos Mesh may yet carry them out, and no duration takes them off", func(record *v1alpha1.Record) bool {
			return record.Phase != v1alpha1.NotInjected && slices.Contains(r.ruled, podOf(record))
		}},
	} {
		for _, record := range r.status().Experiment.Records {
			pod := r.driver.podNamed(podOf(record))
			if pod == nil || !reason.is(record) || r.latest.IsOneShot() || !r.forced && !r.final {
				continue
			}
			left.pods[pod.UID] = true
			why = append(why, reason.text)
			remedies = append(remedies, fmt.Sprintf("kubectl --namespace %s delete pod %s", pod.Namespace, pod.Name))
		}
	}
	if len(why) == 0 {
		return r.driver.residual[r.identity].err
	}
	left.err = fmt.Errorf("its object is gone, and %s; a new pod is free of it: %s",
		strings.Join(slices.Compact(why), "; and "), strings.Join(distinct(remedies), "; "))
	r.driver.residual[r.identity] = left
	return left.err
}

// residualFaults says which faults may still be on, their objects being gone.
func (d *Driver) residualFaults() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for object, left := range d.residual {
		errs = append(errs, fmt.Errorf("%s was removed: %w", object, left.err))
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// dropRules takes the rules of a NetworkChaos out of the PodNetworkChaos that
// Chaos Mesh keeps for each pod. A rule that the pod's node cannot carry out
// stays there, whatever becomes of the NetworkChaos, and every later fault on
// the pod's network fails because of it. Once it is gone Chaos Mesh comes to an
// end with the NetworkChaos, too.
func (r *removal) dropRules(ctx context.Context) error {
	var done []types.NamespacedName
	var first error
	r.ruled = nil
	for _, record := range r.status().Experiment.Records {
		pod := podOf(record)
		if record.Phase == v1alpha1.NotInjected || slices.Contains(done, pod) {
			continue
		}
		done = append(done, pod)
		if err := r.driver.unlocked(func() error {
			return retry.RetryOnConflict(retry.DefaultRetry, func() error { return r.dropRulesOf(ctx, pod) })
		}); err != nil {
			r.ruled = append(r.ruled, pod)
			first = cmp.Or(first, err)
		}
	}
	if first != nil {
		return fmt.Errorf("its rules stay with its pods, and Chaos Mesh may fail to put another fault on their network until they are new: %w", first)
	}
	return nil
}

func (r *removal) dropRulesOf(ctx context.Context, pod types.NamespacedName) error {
	var kept v1alpha1.PodNetworkChaos
	if err := r.driver.client.Get(ctx, pod, &kept); isGone(err) {
		return nil
	} else if err != nil {
		return explain(err, "get", podNetworkChaos, pod.Namespace)
	}
	before := kept.DeepCopy()
	source := r.NamespacedName.String()
	spec := &kept.Spec
	spec.IPSets = slices.DeleteFunc(spec.IPSets, func(rule v1alpha1.RawIPSet) bool { return rule.Source == source })
	spec.Iptables = slices.DeleteFunc(spec.Iptables, func(rule v1alpha1.RawIptables) bool { return rule.Source == source })
	spec.TrafficControls = slices.DeleteFunc(spec.TrafficControls, func(rule v1alpha1.RawTrafficControl) bool { return rule.Source == source })
	err := r.driver.client.Patch(ctx, &kept, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if err != nil && !apierrors.IsConflict(err) {
		return explain(err, "patch", podNetworkChaos, pod.Namespace)
	}
	return err
}

// Residual is a residual fault on the network of a pod, as what Chaos Mesh keeps
// for the pod shows.
type Residual struct {
	Pod  types.NamespacedName
	Text string
}

func (r Residual) Error() string {
	return fmt.Sprintf("pod %s: %s; a new pod is free of it: %s", r.Pod, r.Text, r.Remedy())
}

// Remedy is the command that ends it.
func (r Residual) Remedy() string {
	return fmt.Sprintf("kubectl --namespace %s delete pod %s", r.Pod.Namespace, r.Pod.Name)
}

// Residuals finds the residual faults on the network of the pods of namespaces:
// rules whose NetworkChaos is gone, also of other tools, and the end of a fault that
// was not carried out.
func Residuals(ctx context.Context, reader client.Reader, namespaces []string) (found []Residual, err error) {
	var kept v1alpha1.PodNetworkChaosList
	var made v1alpha1.NetworkChaosList
	var there corev1.PodList
	sources, running := map[string]bool{}, map[types.NamespacedName]types.UID{}
	var all []v1alpha1.PodNetworkChaos
	for _, namespace := range namespaces {
		for _, one := range []struct {
			resource string
			list     client.ObjectList
		}{{podNetworkChaos, &kept}, {resource(fault.NetworkChaos), &made}, {pods, &there}} {
			if err := reader.List(ctx, one.list, client.InNamespace(namespace)); err != nil {
				return nil, explain(err, "list", one.resource, namespace)
			}
		}
		all = append(all, kept.Items...)
		for _, object := range made.Items {
			sources[object.Namespace+"/"+object.Name] = true
		}
		for _, pod := range there.Items {
			running[client.ObjectKeyFromObject(&pod)] = pod.UID
		}
	}
	for _, one := range all {
		name := client.ObjectKeyFromObject(&one)
		uid, is := running[name]
		if !is || slices.ContainsFunc(one.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.UID != uid }) {
			continue // it goes with its pod
		}
		of := sourcesOf(&one.Spec)
		gone := slices.DeleteFunc(slices.Clone(of), func(source string) bool {
			namespace, _, _ := strings.Cut(source, "/")
			return sources[source] || !slices.Contains(namespaces, namespace)
		})
		text := ""
		switch {
		case len(gone) > 0:
			text = "Chaos Mesh keeps rules for its network whose NetworkChaos is gone: " + strings.Join(gone, ", ")
		case len(of) > 0: // by an object that is there
		case one.Status.FailedMessage != "":
			text = "Chaos Mesh could not take a fault off its network, which may still be on: " + strings.TrimSpace(one.Status.FailedMessage)
		case one.Status.ObservedGeneration < one.Generation:
			text = "Chaos Mesh has yet to take a fault off its network, which may still be on"
		}
		if text != "" {
			found = append(found, Residual{name, text})
		}
	}
	return found, nil
}

// sourcesOf are the NetworkChaos objects that rules are of, as namespace/name.
func sourcesOf(spec *v1alpha1.PodNetworkChaosSpec) (sources []string) {
	for _, rule := range spec.IPSets {
		sources = append(sources, rule.Source)
	}
	for _, rule := range spec.Iptables {
		sources = append(sources, rule.Source)
	}
	for _, rule := range spec.TrafficControls {
		sources = append(sources, rule.Source)
	}
	return distinct(sources)
}
