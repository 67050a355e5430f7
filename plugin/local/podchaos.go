package local

import (
	"fmt"
	"slices"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// phase is how far a fault on a pod has come.
type phase int

const (
	// pending: there is no process to kill yet.
	pending phase = iota
	// struck: the process was sent its signal.
	struck
	// down: the process has gone.
	down
	// back: a process that was started later answers.
	back
)

// hit is what a PodChaos does to one pod.
type hit struct {
	fault *applied
	pod   *pod
	phase phase
	// keep says that the pod is to stay down until the fault is removed.
	keep bool
	// grace is how long the process may take to stop by itself.
	grace time.Duration
	// process is the one that was struck, and number that of the latest
	// process that is not free of the fault.
	process *process
	number  int
	// at is when the last phase began, and what says how.
	at   time.Time
	what string
	// restarted says that a process was started after the one that was hit.
	restarted bool
	// changed is closed, and another one made, at each change.
	changed chan struct{}
}

func (c *Cluster) podChaos(a *applied, chaos *v1alpha1.PodChaos) (func(), error) {
	spec := chaos.Spec
	if spec.RemoteCluster != "" {
		return nil, unknown("spec.remoteCluster")
	}
	pods, err := c.choose(spec.PodSelector, "spec.selector")
	if err != nil {
		return nil, err
	}
	if spec.Action == v1alpha1.ContainerKillAction {
		for _, pod := range pods {
			if !slices.Equal(spec.ContainerNames, []string{pod.Name}) {
				return nil, &fault.FieldError{
					Field:   "spec.containerNames",
					Message: fmt.Sprintf("pod %s has one container, and its name is that of the pod", pod.Name),
					Remedy:  fmt.Sprintf("write [%s]", pod.Name),
				}
			}
		}
	}
	keep := false
	switch spec.Action {
	case v1alpha1.PodKillAction, v1alpha1.ContainerKillAction:
	case v1alpha1.PodFailureAction:
		keep = true
	default:
		return nil, &fault.FieldError{
			Field:   "spec.action",
			Message: fmt.Sprintf("the local cluster does not know %q", string(spec.Action)),
			Remedy:  "use pod-kill, container-kill or pod-failure",
		}
	}
	grace := time.Duration(0)
	if spec.Action == v1alpha1.PodKillAction {
		grace = time.Duration(spec.GracePeriod) * time.Second
	}
	for _, pod := range pods {
		a.hits = append(a.hits, &hit{fault: a, pod: pod, keep: keep, grace: grace, changed: make(chan struct{})})
	}
	a.heal = func() {
		for _, hit := range a.hits {
			hit.release()
		}
	}
	return func() {
		for _, hit := range a.hits {
			hit.begin()
		}
		a.progress()
	}, nil
}

// begin puts the fault on the pod.
func (h *hit) begin() {
	p := h.pod
	p.hits = append(p.hits, h)
	if !h.keep {
		if p.current == nil || p.current.dead() || !h.strike(p.current) {
			h.fault.note(fmt.Sprintf("pod %s has no process now: its next one is killed when it is started", p.Name))
		}
		return
	}
	h.number = p.number
	if h.process = p.keepDown(); h.process != nil {
		h.become(struck, time.Now(), fmt.Sprintf("%s of pod %s was killed, and no other one is started", h.process, p.Name))
		return
	}
	h.become(down, time.Now(), fmt.Sprintf("pod %s had no process, and none is started", p.Name))
}

// strike sends the process its signal, and says whether it was still there.
func (h *hit) strike(process *process) bool {
	p := h.pod
	sent := false
	what := fmt.Sprintf("%s of pod %s was killed", process, p.Name)
	if h.grace > 0 {
		what = fmt.Sprintf("%s of pod %s was asked to stop within %v", process, p.Name, h.grace)
		sent = process.stopWithin(h.grace, func() {
			p.cluster.mu.Lock()
			defer p.cluster.mu.Unlock()
			if p.current == process {
				p.cluster.kill(p, process)
			}
		})
	} else {
		sent = p.cluster.kill(p, process)
	}
	if !sent {
		return false
	}
	h.process, h.number = process, process.number
	h.become(struck, time.Now(), what)
	return true
}

// started is called when the pod has a new process.
func (h *hit) started(process *process) {
	switch {
	case h.phase == pending && !h.fault.healed:
		h.strike(process)
		h.fault.progress()
	case h.phase == down && !h.restarted:
		h.restarted = true
		h.change()
	}
}

// ended is called when a process of the pod has gone, and says whether it was
// this fault's doing.
func (h *hit) ended(process *process) bool {
	if h.phase != struck || process != h.process {
		return false
	}
	h.become(down, process.at, fmt.Sprintf("%s of pod %s has gone: %s", process, h.pod.Name, process.state))
	h.fault.progress()
	return true
}

// answers is called when a new process of the pod answers.
func (h *hit) answers(process *process, at time.Time) {
	if h.phase != down || process.number <= h.number {
		return
	}
	h.become(back, at, fmt.Sprintf("%s of pod %s answers", process, h.pod.Name))
	h.leave()
	h.fault.progress()
}

// release lets the pod come back.
func (h *hit) release() {
	switch {
	case h.keep:
		h.pod.letUp()
	case h.phase == pending:
		h.leave()
	}
	h.change()
}

// over says whether the object can be seen gone: nothing that it does is
// still to come.
func (h *hit) over() bool {
	switch {
	case h.keep:
		return h.restarted || h.phase == back || h.pod.failures > 0
	case h.phase == struck:
		return false
	}
	return true
}

// leave makes the pod forget the fault.
func (h *hit) leave() {
	h.pod.hits = slices.DeleteFunc(h.pod.hits, func(other *hit) bool { return other == h })
}

func (h *hit) become(next phase, at time.Time, what string) {
	h.phase, h.at, h.what = next, at, what
	h.change()
}

func (h *hit) change() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// progress observes what has become of all pods of a PodChaos.
func (a *applied) progress() {
	reached := func(least phase) bool {
		return !slices.ContainsFunc(a.hits, func(h *hit) bool { return h.phase < least })
	}
	if a.injected.IsZero() && reached(struck) {
		a.injected = a.latest(time.Time{})
		a.emit(plan.Injected, a.injected, a.what())
	}
	if a.down.IsZero() && reached(down) {
		a.down = a.latest(a.injected)
		a.emit(plan.Down, a.down, a.what())
	}
	if reached(back) {
		a.emit(plan.Ready, a.latest(a.down), a.what())
	}
}

// latest is when the last pod came to its phase, or least when that is later.
func (a *applied) latest(least time.Time) time.Time {
	for _, hit := range a.hits {
		if hit.at.After(least) {
			least = hit.at
		}
	}
	return least
}

func (a *applied) what() string {
	text := ""
	for i, hit := range a.hits {
		if i > 0 {
			text += "; "
		}
		text += hit.what
	}
	return text
}
