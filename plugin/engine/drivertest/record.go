package drivertest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// record keeps what a driver observed of one object.
type record struct {
	mu      sync.Mutex
	moments []engine.Moment
	changed chan struct{}
	// busy: observe is being called; overlap: it was called twice at a time.
	busy    bool
	overlap bool
}

func newRecord() *record { return &record{changed: make(chan struct{})} }

func (r *record) observe(moment engine.Moment) {
	r.mu.Lock()
	r.overlap = r.overlap || r.busy
	r.busy = true
	r.mu.Unlock()
	runtime.Gosched() // a second call would come now
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	r.moments = append(r.moments, moment)
	close(r.changed)
	r.changed = make(chan struct{})
}

// events are the events so far, in the order in which they were observed.
func (r *record) events() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var events []string
	for _, moment := range r.moments {
		if moment.Event != "" {
			events = append(events, moment.Event)
		}
	}
	return events
}

func (r *record) has(event string) bool { return slices.Contains(r.events(), event) }

// await waits for an event. An error of the driver ends the wait.
func (r *record) await(ctx context.Context, system System, event string) (engine.Moment, error) {
	moment, err := r.first(ctx, system, func(m engine.Moment) bool { return m.Err != nil || m.Event == event })
	if err == nil && moment.Err != nil {
		err = fmt.Errorf("the driver says: %w", moment.Err)
	}
	if err != nil {
		return moment, fmt.Errorf("wait for %s: %w", event, err)
	}
	return moment, nil
}

// awaitTrouble waits for an error of the driver.
func (r *record) awaitTrouble(ctx context.Context, system System) error {
	_, err := r.first(ctx, system, func(m engine.Moment) bool { return m.Err != nil })
	return err
}

// first waits for the first moment that is so.
func (r *record) first(ctx context.Context, system System, is func(engine.Moment) bool) (engine.Moment, error) {
	timer := time.NewTimer(system.Patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		at := slices.IndexFunc(r.moments, is)
		if at >= 0 {
			defer r.mu.Unlock()
			return r.moments[at], nil
		}
		r.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return engine.Moment{}, fmt.Errorf("it was not observed within %v, only %v", system.Patience, r.events())
		case <-ctx.Done():
			return engine.Moment{}, ctx.Err()
		}
	}
}

// order are the events of a fault in the order in which they may come. The last
// two may come after Removed.
var order = []string{plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready}

// inOrder checks the order and the times of the moments.
func (r *record) inOrder() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.overlap {
		return errors.New("observe was called twice at a time for one object")
	}
	seen := map[string]time.Time{}
	last, at := -1, time.Time{}
	for _, moment := range r.moments {
		if moment.At.IsZero() || moment.At.After(time.Now()) {
			return fmt.Errorf("%q was observed at %v, which is no time that has been", moment.Event, moment.At)
		}
		if moment.Event == "" {
			continue
		}
		if _, twice := seen[moment.Event]; twice {
			return fmt.Errorf("%s was observed twice", moment.Event)
		}
		removed, over := seen[plan.Removed]
		if over && moment.Event != plan.Ready && moment.Event != plan.Rescheduled {
			return fmt.Errorf("%s was observed after removed", moment.Event)
		}
		if over && moment.At.Before(removed) {
			return fmt.Errorf("%s was observed after removed, but says that it happened %v before", moment.Event, removed.Sub(moment.At))
		}
		seen[moment.Event] = moment.At
		if moment.Event == plan.Removed {
			if moment.At.Before(at) {
				return fmt.Errorf("removed says that it happened %v before what was observed before it", at.Sub(moment.At))
			}
			continue
		}
		place := slices.Index(order, moment.Event)
		switch {
		case place < 0:
			return fmt.Errorf("%q is no event of a fault", moment.Event)
		case place < last:
			return fmt.Errorf("%s was observed after %s", moment.Event, order[last])
		case moment.At.Before(at):
			return fmt.Errorf("%s says that it happened %v before what was observed before it", moment.Event, at.Sub(moment.At))
		}
		last, at = place, moment.At
	}
	return nil
}
