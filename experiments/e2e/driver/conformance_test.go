package driver_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/engine/drivertest"
)

const latency = 300 * time.Millisecond

func TestConformance(t *testing.T) {
	s := newSite(t)
	times := &stopwatch{}
	delays := s.canDelay(t)
	drivertest.Run(t, func(t *testing.T) drivertest.System {
		p := s.newPair(t)
		system := drivertest.System{
			Driver:    timed{s.open(t, p.service), times},
			Kill:      func() fault.Object { return p.podChaos(v1alpha1.PodKillAction, p.service) },
			Failure:   func() fault.Object { return p.podChaos(v1alpha1.PodFailureAction, p.service) },
			Partition: func() fault.Object { return p.partition() },
			Nothing:   func() fault.Object { return p.podChaos(v1alpha1.PodKillAction, "nobody") },
			Latency:   latency,
			Ask:       p.Ask,
			Send:      p.Send,
			Crash:     p.Crash,
			Received:  p.Received,
			Patience:  patience,
			Quiet:     time.Second,
			Lag:       10 * time.Second,
		}
		if delays {
			system.Delay = func() fault.Object { return p.delay() }
		}
		return system
	})
	t.Logf("measured on this cluster:\n%s", times)
}

// canDelay says whether the kernel of the nodes has netem, by trying.
func (s *site) canDelay(t *testing.T) (can bool) {
	t.Run("delay", func(t *testing.T) {
		p := s.newPair(t)
		driver := s.open(t)
		object := p.delay()
		seen := make(chan engine.Moment, 100)
		start := time.Now()
		if err := driver.Apply(t.Context(), object, func(m engine.Moment) { seen <- m }); err != nil {
			t.Fatal(err)
		}
		for told := false; !told; {
			select {
			case moment := <-seen:
				can = moment.Event == plan.Injected
				if moment.Err != nil {
					t.Logf("after %.1f s: %v", time.Since(start).Seconds(), moment.Err)
				}
				told = can || moment.Err != nil
			case <-time.After(15 * time.Second):
				t.Fatal("Chaos Mesh neither injected the delay nor was it told within 15 s that it cannot")
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		removing := make(chan struct{})
		var work sync.WaitGroup
		defer work.Wait()
		work.Go(func() {
			for {
				select {
				case moment := <-seen:
					t.Log(moment.Detail)
				case <-removing:
					return
				}
			}
		})
		defer close(removing)
		start = time.Now()
		if err := driver.Remove(ctx, object); err != nil {
			t.Fatal(err)
		}
		t.Logf("delay can be injected: %v; removed within %.1f s", can, time.Since(start).Seconds())
		// What cannot be injected leaves nothing that hinders the next fault.
		again := p.partition()
		injected := make(chan engine.Moment, 100)
		if err := driver.Apply(t.Context(), again, func(m engine.Moment) { injected <- m }); err != nil {
			t.Fatal(err)
		}
		for told := false; !told; {
			select {
			case moment := <-injected:
				if moment.Err != nil {
					t.Fatalf("a partition after it: %v", moment.Err)
				}
				told = moment.Event == plan.Injected
			case <-time.After(15 * time.Second):
				t.Fatal("a partition after it was not injected")
			}
		}
		if err := driver.Remove(ctx, again); err != nil {
			t.Fatal(err)
		}
	})
	return can
}
