package chaosmesh

import (
	"fmt"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// applied is an object that was applied. All of it is guarded by the driver's
// lock.
type applied struct {
	driver *Driver
	identity
	object  fault.Object
	uid     types.UID
	observe func(engine.Moment)
	// silent says that nothing is observed any more.
	silent bool

	// latest is what the watch told last of the object, and gone that it told
	// that the object is no more.
	latest fault.Object
	gone   bool

	// created, injected, down and ready are when these were observed, and
	// last is when the latest of them was.
	created, injected, down, ready, last time.Time
	// troubled says that it was told that the fault cannot be injected, and
	// healed that it ended by itself.
	troubled, healed bool
	// removing says that Remove has begun, and removed that Removed was
	// observed.
	removing, removed bool

	// answer, retry and choice end the patience with Chaos Mesh.
	answer, retry, choice *time.Timer

	// outage is what a PodChaos does to its pods, and routes what becomes of
	// the services in front of them; nil for a NetworkChaos.
	outage *outage
	routes *routes
}

// accepted: the API server has created the object.
func (a *applied) accepted(object fault.Object, at time.Time, took time.Duration) {
	a.object, a.uid = object, object.GetUID()
	a.created = a.emit(plan.Created, at, fmt.Sprintf("%s; the API server took %.1f ms to create it", a, float64(took)/float64(time.Millisecond)))
	a.answer = a.after(a.driver.options.Limits.Answer, a.unanswered)
	a.progress(at)
	a.routesTold(at)
}

// after calls do, with the lock held, unless the fault is over by then.
func (a *applied) after(limit time.Duration, do func(now time.Time)) *time.Timer {
	return time.AfterFunc(limit, func() {
		a.driver.mu.Lock()
		defer a.driver.mu.Unlock()
		if a.waiting() {
			do(time.Now())
		}
	})
}

// waiting says whether the injection is still waited for.
func (a *applied) waiting() bool {
	return a.injected.IsZero() && !a.troubled && !a.removing && !a.silent && !a.driver.closing
}

// told: the watch tells something of the object.
func (a *applied) told(object fault.Object, gone bool, now time.Time) {
	if a.uid != "" && object.GetUID() != a.uid {
		return
	}
	a.latest, a.gone = object, gone
	a.progress(now)
	if gone && !a.removing && !a.created.IsZero() && !a.healed {
		a.over(now, fmt.Errorf("%s has gone, and emco-chaos did not remove it: somebody else did, such as a user of Chaos Mesh's dashboard; leave the objects of a run alone while it is under way", a))
	}
}

// over: the fault has ended, and nobody has removed it. One that was to stay on
// until it is removed is in trouble then.
func (a *applied) over(now time.Time, err error) {
	a.healed = true
	if a.lasts() && !a.troubled {
		a.trouble(now, err)
		return
	}
	a.note(now, err.Error())
}

// lasts says whether the fault stays on once it is injected.
func (a *applied) lasts() bool {
	return !a.object.IsOneShot()
}

// progress observes what there is to observe now.
func (a *applied) progress(now time.Time) {
	if a.created.IsZero() || a.removed && a.outage == nil {
		return
	}
	if a.latest != nil && a.latest.GetUID() == a.uid && !a.removed {
		a.look(status(a.latest), now)
	}
	if a.outage == nil || a.injected.IsZero() {
		return
	}
	if a.down.IsZero() && !a.removed {
		if seen, what, is := a.outage.isDown(); is {
			a.down = a.emit(plan.Down, seen, what)
		}
	}
	if !a.down.IsZero() && a.ready.IsZero() {
		if what, is := a.outage.isReady(a.driver.pods, a.released()); is {
			a.ready = a.emit(plan.Ready, now, what)
		}
	}
	if a.removed && (a.down.IsZero() || !a.ready.IsZero()) {
		delete(a.driver.faults, a.identity)
	}
}

// released says whether the fault is not kept on any more.
func (a *applied) released() bool {
	return a.removing || a.gone || a.latest != nil && status(a.latest).Experiment.DesiredPhase == v1alpha1.StoppedPhase
}

// look reads what Chaos Mesh says of the object.
func (a *applied) look(status *v1alpha1.ChaosStatus, now time.Time) {
	switch {
	case !a.injected.IsZero():
		if !a.healed && !a.removing && ended(status) {
			a.over(now, fmt.Errorf("%s ended by itself: its duration is over; give the fault a duration that is longer than it has to stay on", a))
		}
	case isInjected(status):
		a.patient()
		if a.outage != nil {
			a.outage.hit(status.Experiment.Records, a.driver.pods)
		}
		a.injected = a.emit(plan.Injected, now, "Chaos Mesh has injected it on "+targets(status))
	case !a.waiting():
	case failure(status) != "":
		if a.retry == nil {
			a.retry = a.after(a.driver.options.Limits.Retry, a.failed)
		}
	case selectedNothing(status):
		if a.choice == nil {
			a.choice = a.after(a.driver.options.Limits.Select, a.empty)
		}
	case a.choice != nil && len(status.Experiment.Records) > 0:
		a.choice.Stop()
	}
}

// failed: Chaos Mesh has tried again long enough.
func (a *applied) failed(now time.Time) {
	status := status(a.latest)
	if failure(status) == "" {
		return
	}
	a.trouble(now, a.uninjectable(status))
}

// note tells something that nothing waits for.
func (a *applied) note(at time.Time, detail string) {
	if !a.removed {
		a.emit("", at, detail)
	}
}

// trouble tells that the fault cannot be injected, and why.
func (a *applied) trouble(at time.Time, err error) {
	a.troubled = true
	a.tell(at, err)
}

func (a *applied) tell(at time.Time, err error) {
	a.patient()
	if !a.silent && !a.removed {
		a.observe(engine.Moment{At: at, Err: err})
	}
}

// patient stops all limits.
func (a *applied) patient() {
	for _, timer := range []*time.Timer{a.answer, a.retry, a.choice} {
		if timer != nil {
			timer.Stop()
		}
	}
}

// abandon forgets the fault.
func (a *applied) abandon() {
	a.silent = true
	a.patient()
}
