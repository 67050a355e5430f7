package drivertest

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// hand has one fault in it, and what the driver observed of that.
type hand struct {
	*trial
	object fault.Object

	mu      sync.Mutex
	moments []engine.Moment
	changed chan struct{}
	// busy: observe is being called; overlap: it was called twice at a time.
	busy, overlap bool
}

func newHand(t *trial, object fault.Object) *hand {
	return &hand{trial: t, object: object, changed: make(chan struct{})}
}

func (h *hand) observe(moment engine.Moment) {
	h.mu.Lock()
	h.overlap = h.overlap || h.busy
	h.busy = true
	h.mu.Unlock()
	runtime.Gosched() // a second call would come now
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busy = false
	h.moments = append(h.moments, moment)
	close(h.changed)
	h.changed = make(chan struct{})
}

// events are the events so far, in the order in which they were observed.
func (h *hand) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var events []string
	for _, moment := range h.moments {
		if moment.Event != "" {
			events = append(events, moment.Event)
		}
	}
	return events
}

func (h *hand) has(event string) bool { return slices.Contains(h.events(), event) }

// await waits for an event. An error of the driver is a failure.
func (h *hand) await(event string) engine.Moment {
	moment := h.first(event, func(m engine.Moment) bool { return m.Err != nil || m.Event == event })
	h.must(moment.Err, "wait for "+event+": the driver says")
	return moment
}

// first waits for the first moment that is so.
func (h *hand) first(what string, is func(engine.Moment) bool) engine.Moment {
	late := time.After(h.Patience)
	for {
		h.mu.Lock()
		changed, at := h.changed, slices.IndexFunc(h.moments, is)
		if at >= 0 {
			defer h.mu.Unlock()
			return h.moments[at]
		}
		h.mu.Unlock()
		select {
		case <-changed:
		case <-late:
			h.fail("wait for %s: it was not observed within %v, only %v", what, h.Patience, h.events())
		}
	}
}

// remove removes the object. It fails if Removed was not observed.
func (h *hand) remove() {
	limited, cancel := context.WithTimeout(h.ctx, h.Patience)
	defer cancel()
	h.must(h.Driver.Remove(limited, h.object), "remove "+h.object.GetName())
	if !h.has(plan.Removed) {
		h.fail("removed was not observed when Remove returned")
	}
}

// order are the events of a fault in the order in which they may come, and late
// those that may come after Removed.
var (
	order = []string{plan.Created, plan.Injected, plan.Down, plan.Rescheduled, plan.Ready}
	late  = []string{plan.Rescheduled, plan.Ready}
)

// inOrder checks the order and the times of the moments.
func (h *hand) inOrder() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.overlap {
		h.fail("observe was called twice at a time for one object")
	}
	var seen []string
	last, latest := -1, time.Time{}
	for _, moment := range h.moments {
		event, place := moment.Event, slices.Index(order, moment.Event)
		switch {
		case moment.At.IsZero() || moment.At.After(time.Now()):
			h.fail("%q was observed at %v, which is no time that has been", event, moment.At)
		case event == "":
			continue
		case slices.Contains(seen, event):
			h.fail("%s was observed twice", event)
		case moment.At.Before(latest):
			h.fail("%s says that it happened %v before what was observed before it", event, latest.Sub(moment.At))
		case event == plan.Removed:
		case place < 0:
			h.fail("%q is no event of a fault", event)
		case slices.Contains(seen, plan.Removed) && !slices.Contains(late, event):
			h.fail("%s was observed after removed", event)
		case place < last:
			h.fail("%s was observed after %s", event, order[last])
		}
		seen = append(seen, event)
		last, latest = max(last, place), moment.At
	}
}
