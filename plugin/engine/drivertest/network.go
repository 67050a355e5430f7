package drivertest

import (
	"errors"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

func partitionHolds(t *trial) {
	t.passes("before")
	partition := t.inject(t.Partition())
	message := t.send("held")
	message.held()
	partition.remove()
	t.must(message.result(), "what was held did not go on when the partition was removed")
	t.arrived("held", 1)
	t.passes("after")
	partition.inOrder()
}

// holdAndKill has a message held and its sender killed.
func holdAndKill(t *trial) (partition, kill *hand) {
	t.passes("before")
	partition = t.inject(t.Partition())
	message := t.send("dead")
	message.held()
	kill = t.apply(t.Kill())
	kill.await(plan.Down)
	switch err := message.result(); {
	case err == nil:
		t.fail("a request that was held was answered although the service was killed")
	case errors.Is(err, errOnItsWay):
		t.fail("the service was killed, and its request lives on: %w", err)
	}
	return partition, kill
}

func deadRequestIsLost(t *trial) {
	partition, kill := holdAndKill(t)
	kill.await(plan.Ready)
	partition.remove()
	t.pause(t.Lag + t.Quiet)
	t.passes("after")
	t.arrived("dead", 0)
	kill.remove()
	partition.inOrder()
	kill.inOrder()
}

func replacementIsFree(t *trial) {
	partition, kill := holdAndKill(t)
	kill.await(plan.Ready)
	t.answer(t.Lag)
	t.passes("of-the-replacement")
	if !t.listed(partition.object) || partition.has(plan.Removed) {
		t.fail("the partition was gone before it was removed")
	}
	t.arrived("dead", 0)
	partition.remove()
	kill.remove()
	t.nothingLeft()
}

func removeAfterDeath(t *trial) {
	partition, kill := holdAndKill(t)
	partition.remove()
	kill.await(plan.Ready)
	t.answer(t.Lag)
	t.passes("after")
	kill.remove()
	partition.inOrder()
	kill.inOrder()
	t.nothingLeft()
}

// shortDuration is a duration that a check waits for. Chaos Mesh counts it from
// the object's creation, cut to whole seconds: up to a second of it is over
// then. The rest must be longer than a slow injection and Quiet.
const shortDuration = 6 * time.Second

func durationEnds(t *trial) {
	object, ok := t.Partition().(*v1alpha1.NetworkChaos)
	if !ok {
		t.fail("a partition is no NetworkChaos")
	}
	object.Spec.Duration = new(shortDuration.String())
	partition := t.inject(object)
	message := t.send("held")
	message.held()
	// Patience begins when the duration is over.
	t.Patience += shortDuration
	t.must(message.result(), "what was held did not go on when the duration of "+shortDuration.String()+" was over")
	partition.first("the driver's word that the fault is off", func(m engine.Moment) bool { return m.Err != nil })
	if partition.has(plan.Removed) {
		t.fail("removed was observed, and nobody removed the partition")
	}
	partition.remove()
	partition.inOrder()
	t.nothingLeft()
}

func delayDelays(t *trial) {
	if t.Delay == nil {
		return
	}
	timed := func(message string) time.Duration {
		start := time.Now()
		t.passes(message)
		return time.Since(start)
	}
	t.passes("before")
	delay := t.inject(t.Delay())
	least := 2 * t.Latency // There and back again.
	if took := timed("delayed"); took < least {
		t.fail("a message was confirmed after %v under a delay of %v each way", took, t.Latency)
	}
	delay.remove()
	if took := timed("after"); took >= least {
		t.fail("a message took %v after the delay was removed", took)
	}
	delay.inOrder()
}
