package local

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// phase is the state of a fault on one pod, or on all of its pods.
type phase int

const (
	_       phase = iota // nothing has been done yet
	struck               // the process was sent its signal
	down                 // the process has gone
	started              // another process runs
	ready                // that, or a later one, answers
)

// events are the moments at which all pods of a fault have come to a phase.
var events = [...]string{struck: plan.Injected, down: plan.Down, started: plan.Rescheduled, ready: plan.Ready}

// applied is a fault that was applied. The cluster's lock guards it.
type applied struct {
	cluster *Cluster
	name    string
	object  fault.Object
	observe func(engine.Moment)
	effect  effect
	// hits are the pods whose processes are taken, and phase is how far all of
	// them are, since at.
	hits  []*hit
	phase phase
	at    time.Time
	// ended: the fault's effect is off.
	ended bool
}

// hit is what a fault does to one pod.
type hit struct {
	fault *applied
	pod   *pod
	// process is the one that was struck; nil if there was none.
	process *process
	// phase began at a time, and what describes that.
	phase phase
	at    time.Time
	what  string
}

// strike sends the pod's process its signal. A pod without one is down.
func (h *hit) strike() {
	p, grace := h.pod, h.fault.effect.grace
	h.process = p.current
	if h.process != nil && !h.process.dying() && h.process.state() == "Z" {
		p.disturb(time.Now(), fmt.Sprintf("%s of pod %s had gone before the fault struck", h.process, p.Name))
	}
	p.hits = append(p.hits, h)
	none := ""
	if h.fault.effect.keepDown {
		p.failures++
		none = ", and no other one is started"
	}
	now := time.Now()
	switch {
	case h.process == nil:
		h.become(down, now, fmt.Sprintf("pod %s had no process%s", p.Name, none))
	case grace > 0:
		h.process.signal(syscall.SIGTERM)
		time.AfterFunc(grace, func() { h.process.signal(syscall.SIGKILL) })
		h.become(struck, now, fmt.Sprintf("%s of pod %s was asked to stop within %v", h.process, p.Name, grace))
	default:
		h.process.signal(syscall.SIGKILL)
		h.become(struck, now, fmt.Sprintf("%s of pod %s was killed%s", h.process, p.Name, none))
	}
}

func (h *hit) become(next phase, at time.Time, what string) {
	h.phase, h.at, h.what = next, at, what
	h.fault.progress()
}

// progress observes the phases that all pods of a fault have reached.
func (a *applied) progress() {
	least, what := ready, []string(nil)
	for _, h := range a.hits {
		least = min(least, h.phase)
		what = append(what, h.what)
		if h.at.After(a.at) {
			a.at = h.at
		}
	}
	for a.phase < least {
		a.phase++
		a.emit(events[a.phase], a.at, strings.Join(what, "; "))
	}
}

// settled reports whether no process is dying that has to do with the fault.
func (a *applied) settled() bool {
	dying := func(p *pod) bool { return p != nil && p.current != nil && p.current.dying() }
	for i := range a.effect.holds {
		if link := a.cluster.links[i]; dying(link.from) || dying(link.to) {
			return false
		}
	}
	return !slices.ContainsFunc(a.hits, func(h *hit) bool { return h.phase < down })
}

// restarted reports whether each pod that the fault kept down has a new process
// or another such fault.
func (a *applied) restarted() bool {
	return !a.effect.keepDown || !slices.ContainsFunc(a.hits, func(h *hit) bool {
		return h.pod.current == nil && h.pod.failures == 0
	})
}

func (a *applied) emit(event string, at time.Time, detail string) {
	a.send(engine.Moment{Event: event, At: at, Detail: detail})
}

// note observes something that nothing waits for.
func (a *applied) note(detail string) { a.emit("", time.Now(), detail) }

// trouble observes that the fault does not work, and why.
func (a *applied) trouble(err error) { a.send(engine.Moment{At: time.Now(), Err: err}) }

// send passes a moment on, unless the cluster closes.
func (a *applied) send(moment engine.Moment) {
	if a.cluster.ctx.Err() == nil {
		a.observe(moment)
	}
}
