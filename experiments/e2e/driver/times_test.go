package driver_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// stopwatch measures how long the steps of faults take.
type stopwatch struct {
	mu    sync.Mutex
	order []string
	times map[string][]time.Duration
}

func (s *stopwatch) add(what string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[string][]time.Duration{}
	}
	if _, known := s.times[what]; !known {
		s.order = append(s.order, what)
	}
	s.times[what] = append(s.times[what], took)
}

func (s *stopwatch) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	fmt.Fprintf(&text, "%-42s %5s %8s %8s %8s\n", "seconds", "times", "least", "median", "most")
	slices.Sort(s.order)
	for _, what := range s.order {
		times := s.times[what]
		slices.Sort(times)
		fmt.Fprintf(&text, "%-42s %5d %8.3f %8.3f %8.3f\n", what, len(times),
			times[0].Seconds(), times[len(times)/2].Seconds(), times[len(times)-1].Seconds())
	}
	return text.String()
}

// timed is a driver that is measured.
type timed struct {
	*chaosmesh.Driver
	times *stopwatch
}

func (d timed) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	action := ""
	switch chaos := object.(type) {
	case *v1alpha1.PodChaos:
		action = string(chaos.Spec.Action)
	case *v1alpha1.NetworkChaos:
		action = string(chaos.Spec.Action)
	}
	start := time.Now()
	at := map[string]time.Time{}
	err := d.Driver.Apply(ctx, object, func(moment engine.Moment) {
		at[moment.Event] = moment.At
		switch moment.Event {
		case plan.Created:
			d.times.add(action+": apply → created", moment.At.Sub(start))
			var took float64
			if _, text, found := strings.Cut(moment.Detail, "the API server took "); found {
				if _, err := fmt.Sscanf(text, "%f ms", &took); err == nil {
					d.times.add(action+": of it the API server's create", time.Duration(took*float64(time.Millisecond)))
				}
			}
		case plan.Injected, plan.Down:
			d.times.add(action+": created → "+moment.Event, moment.At.Sub(at[plan.Created]))
		case plan.Ready:
			d.times.add(action+": down → ready", moment.At.Sub(at[plan.Down]))
		}
		observe(moment)
	})
	return err
}

func (d timed) Remove(ctx context.Context, object fault.Object) error {
	start := time.Now()
	err := d.Driver.Remove(ctx, object)
	d.times.add("remove", time.Since(start))
	return err
}
