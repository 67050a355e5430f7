package driver_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

const (
	kills = 5
	// settled is how long a pod is left alone before it is killed. The kubelet
	// looks once a second at what it has just changed, and takes as long to
	// end a pod that it has just started.
	settled = 3 * time.Second
)

// TestDownIsTrue compares when the driver says that a pod is down and ready
// with when the service was last and first seen to answer from outside.
func TestDownIsTrue(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.newPair(t)
	driver := s.open(t)
	times := &stopwatch{}
	for range kills {
		select {
		case <-time.After(settled):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
		before, err := p.Ask(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		looking, stop := context.WithCancel(t.Context())
		var last, first time.Time
		var work sync.WaitGroup
		work.Go(func() {
			for looking.Err() == nil && first.IsZero() {
				asked := time.Now()
				limited, cancel := context.WithTimeout(looking, time.Second)
				instance, err := p.Ask(limited)
				cancel()
				switch {
				case err != nil:
				case instance == before:
					last = asked
				default:
					first = time.Now()
				}
			}
		})
		at := map[string]time.Time{}
		var mu sync.Mutex
		ready := make(chan struct{})
		object := p.podChaos(v1alpha1.PodKillAction, p.service)
		err = driver.Apply(t.Context(), object, func(moment engine.Moment) {
			mu.Lock()
			defer mu.Unlock()
			at[moment.Event] = moment.At
			if moment.Event == plan.Ready {
				close(ready)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-ready:
		case <-time.After(patience):
			t.Fatal("ready was not observed")
		}
		if err := driver.Remove(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(patience, stop)
		work.Wait()
		stop()
		mu.Lock()
		times.add("created → last answer of the old", last.Sub(at[plan.Created]))
		times.add("last answer of the old → down", at[plan.Down].Sub(last))
		times.add("created → first answer of the new", first.Sub(at[plan.Created]))
		times.add("ready → first answer of the new", first.Sub(at[plan.Ready]))
		if last.After(at[plan.Down]) {
			t.Errorf("the killed instance answered a question that was asked %v after down", last.Sub(at[plan.Down]))
		}
		mu.Unlock()
	}
	t.Logf("measured on this cluster:\n%s", times)
}
