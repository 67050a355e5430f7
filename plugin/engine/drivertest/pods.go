package drivertest

import (
	"context"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// replaced fails unless another instance answers than before.
func (t *trial) replaced(before string, limit time.Duration) (after string) {
	if after = t.answer(limit); after == before {
		t.fail("the driver says that the service was down, but the instance %s never went", before)
	}
	return after
}

func killIsTrue(t *trial) {
	before := t.answer(t.Patience)
	view := look(t)
	defer view.close()
	kill := t.apply(t.Kill())
	down, ready := kill.await(plan.Down), kill.await(plan.Ready)
	after := t.replaced(before, t.Lag)
	kill.remove()
	for _, one := range view.close() {
		switch {
		case one.asked.Before(down.At):
		case one.instance == before:
			t.fail("the instance %s was still asked %v after down, and answered", before, one.asked.Sub(down.At))
		case one.instance != after:
			t.fail("between %s and %s there was an instance %s", before, after, one.instance)
		}
	}
	if ready.At.Before(down.At) {
		t.fail("ready is before down")
	}
	if !kill.has(plan.Rescheduled) {
		t.fail("rescheduled was not observed")
	}
	kill.inOrder()
}

func removeBeforeReady(t *trial) {
	before := t.answer(t.Patience)
	kill := t.apply(t.Kill())
	kill.await(plan.Down)
	kill.remove()
	t.nothingLeft()
	t.replaced(before, t.Patience)
	kill.inOrder()
}

func killTwice(t *trial) {
	instances := []string{t.answer(t.Patience)}
	for range 2 {
		kill := t.apply(t.Kill())
		kill.await(plan.Ready)
		kill.remove()
		kill.inOrder()
		instance := t.answer(t.Lag)
		if slices.Contains(instances, instance) {
			t.fail("the instance %s outlived a kill", instance)
		}
		instances = append(instances, instance)
	}
}

func failureLasts(t *trial) {
	t.answer(t.Patience)
	kill := t.apply(t.Kill())
	gone := kill.await(plan.Down)
	// A failure must last for longer than a service that nothing keeps down is away.
	away := kill.await(plan.Ready).At.Sub(gone.At)
	kill.remove()
	before := t.answer(t.Lag)
	view := look(t)
	defer view.close()
	failure := t.apply(t.Failure())
	down := failure.await(plan.Down)
	t.pause(max(2*t.Quiet, 3*away))
	if failure.has(plan.Ready) {
		t.fail("ready was observed while the failure was there")
	}
	still := time.Now()
	failure.remove()
	ready := failure.await(plan.Ready)
	t.replaced(before, t.Lag)
	if ready.At.Before(still) {
		t.fail("ready says that it happened while the failure was there")
	}
	for _, one := range view.close() {
		if !one.asked.Before(down.At) && one.answered.Before(still) {
			t.fail("the instance %s answered between down and the failure's end, asked %v after down", one.instance, one.asked.Sub(down.At))
		}
	}
	failure.inOrder()
}

func watchIsTrue(t *trial) {
	watcher, able := t.Driver.(engine.Watcher)
	if !able {
		t.fail("the driver does not watch the services")
	}
	t.answer(t.Patience)
	watching, stop := context.WithCancel(t.ctx)
	defer stop()
	seen, ended := make(chan engine.Disturbance, 16), make(chan error, 1)
	go func() {
		ended <- watcher.Watch(watching, func(d engine.Disturbance) {
			select {
			case seen <- d:
			default: // Those that came first are enough.
			}
		})
	}()
	kill := t.apply(t.Kill())
	kill.await(plan.Ready)
	kill.remove()
	before := t.answer(t.Lag)
	t.pause(t.Quiet)
	select {
	case d := <-seen:
		t.fail("what the fault did is told as what somebody else did: %s: %s", d.Service, d.Text)
	default:
	}
	struck := time.Now()
	t.must(t.Crash(t.ctx), "crash the service")
	select {
	case d := <-seen:
		if d.Service == "" || d.Text == "" || d.At.Before(struck.Add(-time.Second)) || d.At.After(time.Now()) {
			t.fail("the service has crashed at %v, and what is told is %+v", struck, d)
		}
	case err := <-ended:
		t.fail("the watch has ended: %w", err)
	case <-time.After(t.Patience):
		t.fail("the instance %s has crashed, and nothing is told of it within %v", before, t.Patience)
	}
	stop()
	select {
	case <-ended:
	case <-time.After(t.Patience):
		t.fail("the watch goes on after its context has ended")
	}
}
