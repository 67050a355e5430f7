package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var _ engine.Driver = (*Cluster)(nil)

// identity is what tells one object from another.
type identity struct{ kind, namespace, name string }

func (i identity) String() string { return fmt.Sprintf("%s %s/%s", i.kind, i.namespace, i.name) }

// applied is an object that was applied. All of it is guarded by the
// cluster's lock.
type applied struct {
	identity
	object  fault.Object
	observe func(engine.Moment)
	// silent says that nothing is observed any more.
	silent bool
	// duration heals the fault when nobody removes it.
	duration *time.Timer
	// heal ends the fault's effect; it does so once.
	heal   func()
	healed bool
	// removed says that Removed was observed.
	removed bool

	// hits are what a PodChaos does to each pod, and links those that a
	// NetworkChaos is on.
	hits  []*hit
	links []*link
	// injected and down are when these were observed.
	injected, down time.Time
}

// Apply puts a PodChaos (pod-kill, container-kill, pod-failure) or a
// NetworkChaos (partition, delay) on the cluster; see [engine.Driver]. What
// it does not know of an object it refuses, since it would have to ignore it.
//
// A pod that has no process at that moment is killed when it has one again; a
// pod-failure keeps it down at once.
func (c *Cluster) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	object = object.DeepCopyObject().(fault.Object)
	if err := fault.Check(object); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.closing {
		return ErrClosed
	}
	a := &applied{identity: identify(object), object: object, observe: observe}
	if a.name == "" {
		return fmt.Errorf("%s: %w", a.kind, &fault.FieldError{Field: "metadata.name", Message: "is missing", Remedy: "name the object"})
	}
	if _, there := c.faults[a.identity]; there {
		return fmt.Errorf("%s is already there; remove it first, or use another name", a)
	}
	var inject func()
	var duration *string
	var err error
	switch chaos := object.(type) {
	case *v1alpha1.PodChaos:
		duration = chaos.Spec.Duration
		inject, err = c.podChaos(a, chaos)
	case *v1alpha1.NetworkChaos:
		duration = chaos.Spec.Duration
		inject, err = c.networkChaos(a, chaos)
	default:
		err = fault.ErrKind
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a, err)
	}
	c.faults[a.identity] = a
	a.emit(plan.Created, time.Now(), a.String())
	c.limit(a, duration)
	inject()
	return nil
}

// limit heals a fault when its duration is over.
func (c *Cluster) limit(a *applied, duration *string) {
	if duration == nil {
		return
	}
	after, err := time.ParseDuration(*duration)
	if err != nil {
		return // the object was checked
	}
	a.duration = time.AfterFunc(after, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if a.healed || a.silent {
			return
		}
		over := fmt.Errorf("%s ends by itself: its duration of %v is over; give the fault a duration that is longer than it has to stay on", a, after)
		if a.object.IsOneShot() {
			a.note(over.Error())
		} else {
			a.trouble(over)
		}
		a.end()
	})
}

// Remove takes an object back; see [engine.Driver].
func (c *Cluster) Remove(ctx context.Context, object fault.Object) error {
	c.mu.Lock()
	a, there := c.faults[identify(object)]
	if !there {
		c.mu.Unlock()
		return nil
	}
	a.end()
	c.mu.Unlock()
	for {
		c.mu.Lock()
		left := slices.IndexFunc(a.hits, func(h *hit) bool { return !h.over() })
		if left < 0 || a.silent {
			break
		}
		changed := a.hits[left].changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("remove %s: %w", a, ctx.Err())
		case <-c.closed:
			return fmt.Errorf("remove %s: %w", a, ErrClosed)
		}
	}
	defer c.mu.Unlock()
	if !a.removed {
		a.removed = true
		a.emit(plan.Removed, time.Now(), a.String())
		delete(c.faults, a.identity)
	}
	return nil
}

// Leftovers are the objects that are applied. They end with this process.
func (c *Cluster) Leftovers(ctx context.Context) ([]fault.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var objects []fault.Object
	for _, a := range c.faults {
		objects = append(objects, a.object.DeepCopyObject().(fault.Object))
	}
	slices.SortFunc(objects, func(a, b fault.Object) int {
		return strings.Compare(identify(a).String(), identify(b).String())
	})
	return objects, nil
}

func identify(object fault.Object) identity {
	return identity{kind: fault.NameOf(object), namespace: object.GetNamespace(), name: object.GetName()}
}

func (a *applied) emit(event string, at time.Time, detail string) {
	if !a.silent {
		a.observe(engine.Moment{Event: event, At: at, Detail: detail})
	}
}

// note tells something that nothing waits for.
func (a *applied) note(detail string) { a.emit("", time.Now(), detail) }

// trouble tells that the fault does not work, and why.
func (a *applied) trouble(err error) {
	if !a.silent {
		a.observe(engine.Moment{At: time.Now(), Err: err})
	}
}

// end ends the fault's effect.
func (a *applied) end() {
	if a.healed {
		return
	}
	a.healed = true
	if a.duration != nil {
		a.duration.Stop()
	}
	a.heal()
}

// abandon forgets the fault: the cluster ends.
func (a *applied) abandon() {
	a.silent = true
	if a.duration != nil {
		a.duration.Stop()
	}
}
