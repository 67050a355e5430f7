package local

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func (c *Cluster) networkChaos(a *applied, chaos *v1alpha1.NetworkChaos) (func(), error) {
	spec := chaos.Spec
	if err := onlyKnown(spec); err != nil {
		return nil, err
	}
	slow, err := delayOf(spec)
	if err != nil {
		return nil, err
	}
	sources, err := c.choose(spec.PodSelector, "spec.selector")
	if err != nil {
		return nil, err
	}
	reach, err := c.reach(spec)
	if err != nil {
		return nil, err
	}
	effects := map[*link]effect{}
	for _, link := range c.links {
		// Each direction of the link, seen from the fault's sources.
		sends, receives := false, false
		on := map[*pod]int{}
		if slices.Contains(sources, link.from) && reach.includes(link.to, link.External) {
			sends = true
			on[link.from] = c.actsOn(link.from)
			if slices.Contains(reach.pods, link.to) {
				on[link.to] = c.actsOn(link.to)
			}
		}
		if link.to != nil && slices.Contains(sources, link.to) && reach.includes(link.from, "") {
			receives = true
			on[link.to] = c.actsOn(link.to)
			if slices.Contains(reach.pods, link.from) {
				on[link.from] = c.actsOn(link.from)
			}
		}
		to := spec.Direction == v1alpha1.To || spec.Direction == v1alpha1.Both
		from := spec.Direction == v1alpha1.From || spec.Direction == v1alpha1.Both
		var concerned [2]bool
		concerned[forward] = sends && to || receives && from
		concerned[backward] = sends && from || receives && to
		if concerned == [2]bool{} {
			continue
		}
		effect := effect{on: on}
		if spec.Action == v1alpha1.PartitionAction {
			effect.traffic.hold = concerned
		} else {
			for d := range concerned {
				if concerned[d] {
					effect.traffic.delay[d] = slow
				}
			}
		}
		effects[link] = effect
		a.links = append(a.links, link)
	}
	if len(effects) == 0 {
		return nil, &fault.FieldError{
			Field:   "spec",
			Message: fmt.Sprintf("no link runs between %s and %s; there are the links %s", list(sources), reach, c.linkNames()),
			Remedy:  "select both ends of one of them, or add a link to the cluster file",
		}
	}
	a.heal = func() {
		for _, link := range a.links {
			c.release(link, a)
		}
	}
	return func() {
		var what []string
		for _, link := range a.links {
			count := link.put(a, effects[link])
			what = append(what, fmt.Sprintf("%s (%d connections)", link, count))
		}
		doing := "held: "
		if spec.Action == v1alpha1.DelayAction {
			doing = fmt.Sprintf("delayed by %v: ", slow.latency)
		}
		a.injected = time.Now()
		a.emit(plan.Injected, a.injected, doing+strings.Join(what, ", "))
	}, nil
}

// actsOn is the number of the process that a fault acts on that is put on the
// pod now: its process, or the next one while it has none that lives.
func (c *Cluster) actsOn(p *pod) int {
	if p.current == nil || p.current.dead() {
		return p.number + 1
	}
	return p.number
}

// release takes a fault off a link. What it held of a process that has ended
// is dropped, even when that end is not otherwise known yet.
func (c *Cluster) release(link *link, a *applied) {
	for _, p := range []*pod{link.from, link.to} {
		if p != nil && p.current != nil && p.current.dead() {
			link.dropHeld()
		}
	}
	link.lift(a)
}

// buried drops what the pod's links hold of a process that has ended.
func (c *Cluster) buried(p *pod, process *process) {
	for _, link := range c.linksOf(p) {
		for _, a := range link.outlived(p) {
			a.note(fmt.Sprintf("%s of pod %s has gone: what the link %s held is dropped", process, p.Name, link))
		}
	}
}

// freeReplaced frees the pod's next process of the faults on those before.
func (c *Cluster) freeReplaced(p *pod) {
	for _, link := range c.linksOf(p) {
		for _, a := range link.replaced(p, p.number+1) {
			a.note(fmt.Sprintf("pod %s has a new process: the link %s is free of this fault", p.Name, link))
		}
	}
}

// onlyKnown refuses what would have to be ignored.
func onlyKnown(spec v1alpha1.NetworkChaosSpec) error {
	if spec.Action != v1alpha1.PartitionAction && spec.Action != v1alpha1.DelayAction {
		return &fault.FieldError{
			Field:   "spec.action",
			Message: fmt.Sprintf("the local cluster does not know %q", string(spec.Action)),
			Remedy:  "use partition or delay",
		}
	}
	for _, other := range []struct {
		name string
		set  bool
	}{
		{"device", spec.Device != ""},
		{"targetDevice", spec.TargetDevice != ""},
		{"remoteCluster", spec.RemoteCluster != ""},
		{"loss", spec.Loss != nil},
		{"duplicate", spec.Duplicate != nil},
		{"corrupt", spec.Corrupt != nil},
		{"bandwidth", spec.Bandwidth != nil},
		{"rate", spec.Rate != nil},
	} {
		if other.set {
			return unknown("spec." + other.name)
		}
	}
	if spec.Action == v1alpha1.PartitionAction && spec.PartitionBehavior != v1alpha1.DropPartitionBehavior {
		return &fault.FieldError{
			Field:   "spec.partitionBehavior",
			Message: fmt.Sprintf("the local cluster does not know %q", string(spec.PartitionBehavior)),
			Remedy:  "use drop",
		}
	}
	return nil
}

// unknown refuses a field.
func unknown(field string) error {
	return &fault.FieldError{Field: field, Message: "the local cluster does not know it", Remedy: "leave it out"}
}

func delayOf(spec v1alpha1.NetworkChaosSpec) (delay, error) {
	if spec.Action != v1alpha1.DelayAction {
		return delay{}, nil
	}
	if spec.Delay.Reorder != nil {
		return delay{}, unknown("spec.delay.reorder")
	}
	if correlation := spec.Delay.Correlation; correlation != "" && correlation != v1alpha1.DefaultCorrelation {
		return delay{}, unknown("spec.delay.correlation")
	}
	var result delay
	var err error
	if result.latency, err = time.ParseDuration(spec.Delay.Latency); err != nil {
		return delay{}, fmt.Errorf("spec.delay.latency: %w", err)
	}
	if spec.Delay.Jitter != "" {
		if result.jitter, err = time.ParseDuration(spec.Delay.Jitter); err != nil {
			return delay{}, fmt.Errorf("spec.delay.jitter: %w", err)
		}
	}
	return result, nil
}

// reach is what a NetworkChaos has as its targets.
type reach struct {
	pods     []*pod
	external []string
	// all says that it names none, and means whatever there is.
	all bool
}

func (c *Cluster) reach(spec v1alpha1.NetworkChaosSpec) (reach, error) {
	var result reach
	result.all = spec.Target == nil && len(spec.ExternalTargets) == 0
	if spec.Target != nil {
		pods, err := c.choose(*spec.Target, "spec.target.selector")
		if err != nil {
			return reach{}, err
		}
		result.pods = pods
	}
	for i, name := range spec.ExternalTargets {
		if !slices.ContainsFunc(c.links, func(link *link) bool { return link.External == name }) {
			return reach{}, &fault.FieldError{
				Field:   fmt.Sprintf("spec.externalTargets[%d]", i),
				Message: fmt.Sprintf("no link leads to %s; there are the links %s", name, c.linkNames()),
				Remedy:  "correct the name, or add a link to the cluster file",
			}
		}
		result.external = append(result.external, name)
	}
	return result, nil
}

// includes says whether a link's other end, a pod or outside, is a target.
func (r reach) includes(p *pod, external string) bool {
	return r.all || p != nil && slices.Contains(r.pods, p) || p == nil && slices.Contains(r.external, external)
}

func (r reach) String() string {
	if r.all {
		return "anything"
	}
	var names []string
	if len(r.pods) > 0 {
		names = append(names, list(r.pods))
	}
	return strings.Join(append(names, r.external...), ", ")
}

func (c *Cluster) linkNames() string {
	if len(c.links) == 0 {
		return "(none)"
	}
	names := make([]string, len(c.links))
	for i, link := range c.links {
		names[i] = link.String()
	}
	return strings.Join(names, ", ")
}

func list(pods []*pod) string {
	names := make([]string, len(pods))
	for i, pod := range pods {
		names[i] = pod.Name
	}
	return strings.Join(names, ", ")
}
