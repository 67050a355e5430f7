package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

var (
	_ engine.Driver    = (*Cluster)(nil)
	_ engine.Checker   = (*Cluster)(nil)
	_ engine.Watcher   = (*Cluster)(nil)
	_ engine.Versioned = (*Cluster)(nil)
)

// Check returns why Apply would refuse the object; see [engine.Checker].
func (c *Cluster) Check(_ context.Context, object fault.Object) error {
	if err := c.description.Check(object.DeepCopyObject().(fault.Object)); err != nil {
		return fmt.Errorf("%s: %w", nameOf(object), err)
	}
	return nil
}

// Apply puts a fault on the cluster; see [engine.Driver]. A pod that has no
// process at that moment counts as down at once.
func (c *Cluster) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	a := &applied{cluster: c, name: nameOf(object), object: object.DeepCopyObject().(fault.Object), observe: observe}
	var err error
	if a.effect, err = c.description.effectOf(a.object); err != nil {
		return fmt.Errorf("%s: %w", a.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	if _, there := c.faults[a.name]; there {
		return fmt.Errorf("%s is already there; remove it first, or use another name", a.name)
	}
	c.faults[a.name] = a
	a.emit(plan.Created, time.Now(), a.name)
	for _, name := range a.effect.pods {
		a.hits = append(a.hits, &hit{fault: a, pod: c.pod(name)})
	}
	for _, h := range a.hits {
		h.strike()
	}
	if what := c.hold(a); what != "" {
		a.emit(plan.Injected, time.Now(), "held: "+what)
	}
	if a.effect.duration != nil {
		c.work.Go(func() { c.expire(a, *a.effect.duration) })
	}
	return nil
}

func (c *Cluster) expire(a *applied, duration time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	if err := c.wait(ctx, func() bool { return a.ended }); !errors.Is(err, context.DeadlineExceeded) {
		return
	}
	over := fmt.Errorf("%s ends by itself: its duration of %v is over; give the fault a duration that is longer than it has to stay on, and end it by until or for", a.name, duration)
	c.mu.Lock()
	if a.effect.lasts() {
		a.trouble(over)
	} else {
		a.note(over.Error())
	}
	c.mu.Unlock()
	_ = c.end(context.Background(), a) // it fails only when the cluster closes
}

// Remove takes an object back; see [engine.Driver].
func (c *Cluster) Remove(ctx context.Context, object fault.Object) error {
	c.mu.Lock()
	a, there := c.faults[nameOf(object)]
	c.mu.Unlock()
	if !there {
		return nil
	}
	if err := c.end(ctx, a); err != nil {
		return fmt.Errorf("remove %s: %w", a.name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.faults[a.name] == a {
		a.emit(plan.Removed, time.Now(), a.name)
		delete(c.faults, a.name)
	}
	return nil
}

// end ends a fault's effect, and returns when nothing of it is still to come.
// Killed processes are seen gone first: what a link holds of them never passes.
func (c *Cluster) end(ctx context.Context, a *applied) error {
	if err := c.wait(ctx, a.settled); err != nil {
		return err
	}
	c.mu.Lock()
	if !a.ended {
		a.ended = true
		for i := range a.effect.holds {
			c.links[i].lift(func(h *holder) bool { return h.fault == a })
		}
		for _, h := range a.hits {
			if a.effect.keepDown {
				h.pod.failures--
				h.pod.due = time.Now()
			}
		}
		c.notify()
	}
	c.mu.Unlock()
	return c.wait(ctx, a.restarted)
}

// Leftovers are the objects that are applied. They end with this process.
func (c *Cluster) Leftovers(ctx context.Context) ([]fault.Object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var objects []fault.Object
	for _, name := range slices.Sorted(maps.Keys(c.faults)) {
		objects = append(objects, c.faults[name].object.DeepCopyObject().(fault.Object))
	}
	return objects, nil
}

// Versions says what stands in for a cluster; see [engine.Versioned].
func (c *Cluster) Versions(context.Context) map[string]string {
	return map[string]string{"cluster": "local, " + c.description.Name}
}

func nameOf(object fault.Object) string {
	return fmt.Sprintf("%s %s/%s", fault.NameOf(object), object.GetNamespace(), object.GetName())
}
