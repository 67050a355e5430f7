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
	last  time.Time // when the latest event was observed
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

	after  time.Time // when the phase began at the earliest
	outage *outage   // what a PodChaos does to its pods; nil for what stops nothing
}

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

func (f *activeFault) injecting() bool {
	return f.phase == plan.Created && !f.failed && !f.removing
}

// pendingDown reports whether the fault is on its way to stop something.
func (f *activeFault) pendingDown() bool {
	return f.outage != nil && !f.removed && f.phase == plan.Injected
}

// isDown reports whether what the fault has stopped is not ready again.
func (f *activeFault) isDown() bool { return f.phase == plan.Down || f.phase == plan.Rescheduled }

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
		f.end(now, fmt.Errorf("%s ended by itself: its duration is over; give the fault a duration that is longer than it has to stay on, and end it by until or for", f))
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

// end notes that the fault is over before it was removed: an error of one that was to stay on.
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

func (f *activeFault) fail(at time.Time, err error) {
	f.failed = true
	f.emit(engine.Moment{At: at, Err: err})
}

// note observes something that nothing waits for.
func (f *activeFault) note(at time.Time, detail string) {
	f.emit(engine.Moment{At: at, Detail: detail})
}

// emit observes a moment until the driver is closed, and events in the order of their times.
func (f *activeFault) emit(moment engine.Moment) {
	if moment.Event != "" {
		moment.At = later(moment.At, f.last)
		f.last = moment.At
	}
	if f.driver.lifetime.Err() == nil && (!f.removed || moment.Event != "") {
		f.observe(moment)
	}
}
