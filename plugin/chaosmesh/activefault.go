package chaosmesh

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// activeFault is the state machine of an object that was applied: its phase is
// the last of Created, Injected, Down and Ready that was observed. The driver's
// lock guards all of it.
type activeFault struct {
	driver *Driver
	identity
	object  fault.Object
	uid     types.UID
	observe func(engine.Moment)

	// latest is the object as it was last reported. When it is gone, final says
	// that it went in this state while it was removed.
	latest      fault.Object
	gone, final bool

	// phase is empty until the API server has created the object, and for one
	// that this driver did not apply.
	phase string
	// last is when the latest event was observed.
	last time.Time
	// failed: an error was observed. ended: the fault ended by itself. removing:
	// Remove has begun. removed: Removed was observed.
	failed, ended, removing, removed bool

	// announced is what it is to be on. It is compared with what it is on once it
	// was seen to be injected, and differs then or not. records are of that moment:
	// a watch that is late may report an earlier state after it.
	announced         announced
	injected          time.Time
	records           []*v1alpha1.Record
	compared, differs bool

	// after is when the phase began at the earliest.
	after time.Time
	// outage is what a PodChaos does to its pods; nil for what stops nothing.
	outage *outage
}

// start follows the object that the API server has created.
func (f *activeFault) start(object fault.Object, at time.Time, took time.Duration, told string) {
	f.object, f.uid = object, object.GetUID()
	detail := fmt.Sprintf("%s; the API server took %.1f ms to create it%s", f, float64(took)/float64(time.Millisecond), told)
	f.enter(plan.Created, engine.Moment{At: at, Detail: detail})
	if f.driver.lifetime.Err() == nil {
		f.driver.work.Go(f.superviseInjection)
		f.driver.work.Go(f.superviseWatch)
	}
	f.after = at
	f.advance(at)
}

// injecting reports whether the injection is still waited for.
func (f *activeFault) injecting() bool {
	return f.phase == plan.Created && !f.failed && !f.removing
}

// pendingDown reports whether the fault is on its way to stop something.
func (f *activeFault) pendingDown() bool {
	return f.outage != nil && !f.removed && f.phase == plan.Injected
}

// isDown reports whether what the fault has stopped is not ready again.
func (f *activeFault) isDown() bool { return f.phase == plan.Down || f.phase == plan.Rescheduled }

// released reports whether the fault is not kept on any more.
func (f *activeFault) released() bool {
	return f.removing || f.gone || f.latest != nil && f.latest.GetStatus().Experiment.DesiredPhase == v1alpha1.StoppedPhase
}

// status is the last status of the object, which may be empty.
func (f *activeFault) status() *v1alpha1.ChaosStatus {
	if f.latest == nil || f.uid != "" && f.latest.GetUID() != f.uid {
		return &v1alpha1.ChaosStatus{}
	}
	return f.latest.GetStatus()
}

// changed takes a new state of the object, or the last one of an object that is
// gone. That its going was unseen means that it may have had others after it.
func (f *activeFault) changed(object fault.Object, gone, unseen bool, now time.Time) {
	if f.uid != "" && object.GetUID() != f.uid {
		return
	}
	f.latest, f.gone, f.final = object, gone, gone && !unseen && f.removing
	f.advance(now)
	if gone && f.phase != "" && !f.removing && !f.ended {
		f.end(now, fmt.Errorf("%s has gone, and emco-chaos did not remove it: somebody else did, such as a user of Chaos Mesh's dashboard; leave the objects of a run alone while it is under way", f))
	}
}

// advance enters the phases that the fault has reached. Injected and Down are
// observed of an object that is there; Ready may come after Removed.
func (f *activeFault) advance(now time.Time) {
	switch status := f.status(); {
	case f.removed || f.phase == "":
	case f.phase == plan.Created && all(status, isInjected):
		if f.injected.IsZero() {
			f.injected, f.records = now, status.Experiment.Records
			f.compared = f.announced.peers == nil // else its rules are read first
			f.compare(now, f.announced.compare(status.Experiment.Records))
		}
		if f.compared && !f.differs {
			f.enter(plan.Injected, engine.Moment{At: f.injected, Detail: "on " + targets(status)})
		}
	case f.phase != plan.Created && !f.ended && !f.removing && all(status, isRecovered):
		f.end(now, fmt.Errorf("%s ended by itself: its duration is over; give the fault a duration that is longer than it has to stay on", f))
	}
	if f.pendingDown() {
		if down, is := f.outage.isDown(); is {
			f.enter(plan.Down, f.bound(down))
		}
	}
	for _, next := range []string{plan.Rescheduled, plan.Ready} {
		if !f.isDown() || f.phase == next {
			continue
		}
		if back, is := f.outage.isBack(f.driver.pods, f.released(), next == plan.Ready); is {
			back.At, back.After = now, f.driver.live
			f.enter(next, f.bound(back))
		}
	}
	if f.removed && !f.isDown() {
		f.forget()
	}
}

func (f *activeFault) forget() {
	if f.driver.faults[f.identity] == f {
		delete(f.driver.faults, f.identity)
	}
}

func (f *activeFault) enter(phase string, moment engine.Moment) {
	f.phase, moment.Event = phase, phase
	f.emit(moment)
}

// bound makes the bound of a moment one that is after that of the phase before,
// and not after the kubelet's own time of it: the API server may have been told
// late.
func (f *activeFault) bound(moment engine.Moment) engine.Moment {
	if !moment.Told.IsZero() {
		moment.After = earlier(moment.After, moment.Told)
	}
	f.after = later(f.after, moment.After)
	moment.After = f.after
	return moment
}

// end takes note that the fault has ended, and nobody has removed it. For one
// that was to stay on until it is removed that is an error.
func (f *activeFault) end(now time.Time, err error) {
	f.ended = true
	if f.latest.IsOneShot() || f.failed {
		f.note(now, err.Error())
	} else {
		f.fail(now, err)
	}
}

func (f *activeFault) compare(now time.Time, difference error) {
	if difference != nil && !f.differs {
		f.differs = true
		f.fail(now, difference)
	}
}

// fail observes that the fault cannot be injected, or has ended, and why.
func (f *activeFault) fail(at time.Time, err error) {
	f.failed = true
	f.emit(engine.Moment{At: at, Err: err})
}

// note observes something that nothing waits for.
func (f *activeFault) note(at time.Time, detail string) {
	f.emit(engine.Moment{At: at, Detail: detail})
}

// emit observes a moment until the driver is closed, an event not before the
// one that came before it.
func (f *activeFault) emit(moment engine.Moment) {
	if moment.Event != "" {
		if moment.At.Before(f.last) {
			moment.At = f.last
		}
		f.last = moment.At
	}
	if f.driver.lifetime.Err() == nil && (!f.removed || moment.Event != "") {
		f.observe(moment)
	}
}

// readLimit is how long the API server may take to return an object.
const readLimit = 3 * time.Second

// superviseInjection finds out what is wrong when the injection takes too long:
// Chaos Mesh has said nothing, it has failed and tries again, or it has selected
// nothing. What the watches have reported may be late, so nobody is blamed
// before the API server was asked.
func (f *activeFault) superviseInjection() {
	d, limits := f.driver, f.driver.options.Limits
	d.mu.Lock()
	defer d.mu.Unlock()
	since, last := time.Now(), ""
	answer := since.Add(limits.Answer)
	for f.injecting() {
		if !f.injected.IsZero() && !f.compared {
			difference, err := f.compareRules(f.records)
			if now := time.Now(); f.injecting() && (err == nil || now.After(answer)) {
				f.compare(now, cmp.Or(difference, err))
				f.compared = true
				f.advance(now)
			} else if d.wait(d.lifetime, now.Add(retryPause)) != nil {
				return
			}
			continue
		}
		now, symptom, limit := time.Now(), "", limits.Answer
		switch {
		case failure(f.status()) != "":
			symptom, limit = "failing", limits.Retry
		case selectedNothing(f.status()):
			symptom, limit = "empty", limits.Select
		}
		if symptom != last {
			last, since = symptom, now
		}
		due := earlier(answer, since.Add(limit))
		if now.Before(due) {
			if d.wait(d.lifetime, due) != nil {
				return
			}
			continue
		}
		object, warning, err := f.ask()
		now = time.Now()
		if object != nil && f.injecting() && !f.gone {
			f.changed(object, false, false, now)
		}
		if !f.injecting() || !f.injected.IsZero() {
			continue
		}
		switch status, late := f.status(), !now.Before(answer); {
		case failure(status) != "":
			f.fail(now, f.uninjectable(status))
		case late && err != nil:
			f.fail(now, fmt.Errorf("%s was not seen to be injected within %v, and the API server does not say what has become of it: %w", f, limits.Answer, err))
		case late && object == nil:
			f.fail(now, fmt.Errorf("%s has gone before it was injected, and emco-chaos did not remove it: leave the objects of a run alone while it is under way", f))
		case selectedNothing(status) && (late || warning != ""):
			f.discard(now, warning)
		case late:
			f.fail(now, f.unanswered(status))
		default:
			since = now // it is asked again, and has until then
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// get asks the API server for the object, which is nil without an error when it
// is gone. It gives up the lock meanwhile.
func (f *activeFault) get(ctx context.Context) (fault.Object, error) {
	object := f.empty()
	err := f.driver.unlocked(func() error {
		return f.driver.client.Get(ctx, f.NamespacedName, object)
	})
	switch {
	case isGone(err), err == nil && f.uid != "" && object.GetUID() != f.uid:
		return nil, nil
	case err != nil:
		return nil, f.explain(err, "get")
	}
	return object, nil
}

// ask asks the API server for the object, and for Chaos Mesh's warning if it
// has selected nothing. It gives up the lock meanwhile.
func (f *activeFault) ask() (object fault.Object, warning string, err error) {
	ctx, cancel := context.WithTimeout(f.driver.lifetime, readLimit)
	defer cancel()
	object, err = f.get(ctx)
	if object != nil && selectedNothing(object.GetStatus()) {
		err = f.driver.unlocked(func() error { warning = f.driver.warning(ctx, object); return nil })
	}
	return object, warning, err
}

// discard removes an object that has selected no pod although there was one, or,
// if Chaos Mesh has not warned of that, that it may not have. That is done at once,
// since any change would have it select again, whatever there is then.
func (f *activeFault) discard(now time.Time, warning string) {
	why := fmt.Errorf("nothing was selected by Chaos Mesh for %s (%s), although there were such pods just before: "+
		"they went meanwhile, or Chaos Mesh does not look after their namespace; it was removed", f, warning)
	if warning == "" {
		why = fmt.Errorf("no pod was written down by Chaos Mesh for %s within %v: it selected none, or it is slow to inject: %s; the object was removed",
			f, f.driver.options.Limits.Answer, controllerLog)
	}
	f.fail(now, why)
	if err := f.driver.unlocked(func() error { return f.driver.takeBack(f.object) }); err != nil {
		f.note(time.Now(), fmt.Sprintf("%s selected nothing and could not be removed: %v", f, err))
	}
}

// Commands that look at the parts of Chaos Mesh, by the labels of its own chart.
const (
	ofDaemon      = " --selector app.kubernetes.io/component=chaos-daemon"
	ofController  = " --selector app.kubernetes.io/component=controller-manager"
	getDaemon     = "kubectl --namespace " + Namespace + " get pods" + ofDaemon + " --output wide"
	getController = "kubectl --namespace " + Namespace + " get pods" + ofController
	daemonLog     = "kubectl --namespace " + Namespace + " logs" + ofDaemon + " --prefix --since 5m"
	controllerLog = "kubectl --namespace " + Namespace + " logs" + ofController + " --since 5m"
)

// uninjectable says why Chaos Mesh could not inject the fault, and where to look.
func (f *activeFault) uninjectable(status *v1alpha1.ChaosStatus) error {
	record, message := broken(status, v1alpha1.Apply)
	node := "its node"
	if pod := f.driver.podNamed(podOf(record)); pod != nil && pod.Spec.NodeName != "" {
		node = "node " + pod.Spec.NodeName
	}
	where := "the cause is in the log of chaos-daemon on " + node + ": " + daemonLog
	switch {
	case strings.Contains(message, "cannot find daemonIP"):
		where = "chaos-daemon does not run on " + node + ": " + getDaemon
	case daemonIsSilent.MatchString(message):
		where = "chaos-daemon on " + node + " does not answer: " + getDaemon
	case f.outage != nil && f.outage.action != v1alpha1.ContainerKillAction:
		// It does that without the daemon.
		where = "the cause is in the log of chaos-controller-manager: " + controllerLog
	}
	return fmt.Errorf("on %s Chaos Mesh says: %s; %s", record.Id, strings.TrimSpace(message), where)
}

var daemonIsSilent = regexp.MustCompile("connection refused|code = (Unavailable|DeadlineExceeded)")

// unanswered says which part of Chaos Mesh has not answered.
func (f *activeFault) unanswered(status *v1alpha1.ChaosStatus) error {
	limit := f.driver.options.Limits.Answer
	if len(status.Experiment.Records) == 0 {
		return fmt.Errorf("nobody has touched %s within %v: Chaos Mesh's chaos-controller-manager does not run, or does not look after namespace %s: %s",
			f, limit, f.Namespace, getController)
	}
	return fmt.Errorf("the fault %s is not on %s within %v, and Chaos Mesh does not say why: does chaos-daemon run on the node? %s",
		f, targets(status), limit, getDaemon)
}

// warning is Chaos Mesh's last warning that it could not select anything for an
// object, which it does not try again, or empty. Without the right to read events
// there is none.
func (d *Driver) warning(ctx context.Context, object fault.Object) string {
	var events corev1.EventList
	if d.client.List(ctx, &events, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{"involvedObject.uid": string(object.GetUID()), "type": corev1.EventTypeWarning}) != nil {
		return ""
	}
	var latest corev1.Event
	for _, event := range events.Items {
		if strings.Contains(event.Message, "select targets") && !event.LastTimestamp.Before(&latest.LastTimestamp) {
			latest = event
		}
	}
	return latest.Message
}

// all reports whether there are records, and the condition holds for each.
func all(status *v1alpha1.ChaosStatus, holds func(*v1alpha1.Record) bool) bool {
	records := status.Experiment.Records
	return len(records) > 0 && !slices.ContainsFunc(records, func(record *v1alpha1.Record) bool { return !holds(record) })
}

// isInjected reports whether the fault is on all that it selected. The condition
// AllInjected says the same of the phases, a moment later; that something was
// injected at all, only the count says.
func isInjected(record *v1alpha1.Record) bool {
	return record.InjectedCount > 0 && record.Phase == v1alpha1.Injected
}

// isRecovered reports whether a fault that was on has been taken off.
func isRecovered(record *v1alpha1.Record) bool {
	return record.RecoveredCount > 0 && record.Phase == v1alpha1.NotInjected
}

// isStillInjected reports whether the fault is on, or on its way on or off.
func isStillInjected(record *v1alpha1.Record) bool {
	return strings.HasPrefix(string(record.Phase), string(v1alpha1.Injected))
}

// selectedNothing reports whether the object is to run and has selected nothing.
// That is so for a moment before it selects, too.
func selectedNothing(status *v1alpha1.ChaosStatus) bool {
	return status.Experiment.DesiredPhase == v1alpha1.RunningPhase && len(status.Experiment.Records) == 0 &&
		slices.ContainsFunc(status.Conditions, func(condition v1alpha1.ChaosCondition) bool {
			return condition.Type == v1alpha1.ConditionSelected && condition.Status == corev1.ConditionFalse
		})
}

// broken is the first record whose latest such operation failed, and why.
func broken(status *v1alpha1.ChaosStatus, operation v1alpha1.RecordEventOperation) (*v1alpha1.Record, string) {
	for _, record := range status.Experiment.Records {
		if operation == v1alpha1.Apply && record.Phase == v1alpha1.Injected {
			continue
		}
		for _, event := range slices.Backward(record.Events) {
			if event.Operation == operation {
				if event.Type == v1alpha1.TypeFailed {
					return record, event.Message
				}
				break
			}
		}
	}
	return nil, ""
}

// failure is why something was not injected, or empty.
func failure(status *v1alpha1.ChaosStatus) string {
	_, message := broken(status, v1alpha1.Apply)
	return message
}

// podOf is the pod of a record, whose name is namespace/pod or
// namespace/pod/container.
func podOf(record *v1alpha1.Record) types.NamespacedName {
	namespace, name, _ := strings.Cut(record.Id, "/")
	name, _, _ = strings.Cut(name, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// targets names what the records are about.
func targets(status *v1alpha1.ChaosStatus) string {
	var list []string
	for _, record := range status.Experiment.Records {
		list = append(list, record.Id)
	}
	return strings.Join(distinct(list), ", ")
}

// distinct are the texts of a list, sorted.
func distinct(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
