package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func partitionHolds(ctx context.Context, system System) error {
	if err := passes(ctx, system, "before"); err != nil {
		return err
	}
	partition, err := inject(ctx, system, system.Partition())
	if err != nil {
		return err
	}
	message := send(ctx, system, "held")
	if err := message.held(ctx, system); err != nil {
		return err
	}
	if err := partition.remove(ctx); err != nil {
		return err
	}
	if err := message.result(ctx, system); err != nil {
		return fmt.Errorf("what was held did not go on when the partition was removed: %w", err)
	}
	if err := arrived(ctx, system, "held", 1); err != nil {
		return err
	}
	if err := passes(ctx, system, "after"); err != nil {
		return err
	}
	return partition.inOrder()
}

// holdAndKill has a message held and its sender killed.
func holdAndKill(ctx context.Context, system System, message string) (partition, kill *hand, err error) {
	if err := passes(ctx, system, "before"); err != nil {
		return nil, nil, err
	}
	if partition, err = inject(ctx, system, system.Partition()); err != nil {
		return nil, nil, err
	}
	sent := send(ctx, system, message)
	if err := sent.held(ctx, system); err != nil {
		return nil, nil, err
	}
	if kill, err = apply(ctx, system, system.Kill()); err != nil {
		return nil, nil, err
	}
	if _, err = kill.await(ctx, system, plan.Down); err != nil {
		return nil, nil, err
	}
	switch err := sent.result(ctx, system); {
	case err == nil:
		return nil, nil, errors.New("a request that was held was answered although the service was killed")
	case errors.Is(err, errOnItsWay):
		return nil, nil, fmt.Errorf("the service was killed, and its request lives on: %w", err)
	}
	return partition, kill, nil
}

func deadRequestIsLost(ctx context.Context, system System) error {
	partition, kill, err := holdAndKill(ctx, system, "dead")
	if err != nil {
		return err
	}
	if _, err := kill.await(ctx, system, plan.Ready); err != nil {
		return err
	}
	if err := partition.remove(ctx); err != nil {
		return err
	}
	if err := wait(ctx, system.Lag+system.Quiet); err != nil {
		return err
	}
	if err := passes(ctx, system, "after"); err != nil {
		return err
	}
	if err := arrived(ctx, system, "dead", 0); err != nil {
		return fmt.Errorf("a request of the killed instance: %w", err)
	}
	return errors.Join(kill.remove(ctx), partition.inOrder(), kill.inOrder())
}

func replacementIsFree(ctx context.Context, system System) error {
	partition, kill, err := holdAndKill(ctx, system, "dead")
	if err != nil {
		return err
	}
	if _, err := kill.await(ctx, system, plan.Ready); err != nil {
		return err
	}
	if _, err := awaitAnswer(ctx, system, system.Lag); err != nil {
		return err
	}
	if err := passes(ctx, system, "replacement"); err != nil {
		return fmt.Errorf("the instance in place of the killed one is not free of the partition: %w", err)
	}
	there, err := listed(ctx, system, partition.object)
	if err != nil {
		return err
	}
	if !there || partition.has(plan.Removed) {
		return errors.New("the partition was gone before it was removed")
	}
	if err := arrived(ctx, system, "dead", 0); err != nil {
		return fmt.Errorf("a request of the killed instance: %w", err)
	}
	return errors.Join(partition.remove(ctx), kill.remove(ctx), nothingLeft(ctx, system))
}

func removeAfterDeath(ctx context.Context, system System) error {
	partition, kill, err := holdAndKill(ctx, system, "dead")
	if err != nil {
		return err
	}
	if err := partition.remove(ctx); err != nil {
		return fmt.Errorf("after the partition's source was killed: %w", err)
	}
	if _, err := kill.await(ctx, system, plan.Ready); err != nil {
		return err
	}
	if _, err := awaitAnswer(ctx, system, system.Lag); err != nil {
		return err
	}
	if err := passes(ctx, system, "after"); err != nil {
		return err
	}
	return errors.Join(kill.remove(ctx), partition.inOrder(), kill.inOrder(), nothingLeft(ctx, system))
}

// shortDuration is a duration that a check waits for. Chaos Mesh counts it from
// the object's creation, cut to whole seconds: up to a second of it is over
// then. The rest must be longer than a slow injection and Quiet.
const shortDuration = 6 * time.Second

func durationEnds(ctx context.Context, system System) error {
	object := system.Partition()
	chaos, ok := object.(*v1alpha1.NetworkChaos)
	if !ok {
		return fmt.Errorf("a partition is a NetworkChaos, not %T", object)
	}
	duration := shortDuration.String()
	chaos.Spec.Duration = &duration
	partition, err := inject(ctx, system, fault.Object(chaos))
	if err != nil {
		return err
	}
	message := send(ctx, system, "held")
	if err := message.held(ctx, system); err != nil {
		return err
	}
	// Patience begins when the duration is over.
	system.Patience += shortDuration
	if err := message.result(ctx, system); err != nil {
		return fmt.Errorf("what was held did not go on when the duration of %v was over: %w", shortDuration, err)
	}
	if err := partition.awaitTrouble(ctx, system); err != nil {
		return fmt.Errorf("the duration is over, and the driver does not say that the fault is off: %w", err)
	}
	if partition.has(plan.Removed) {
		return errors.New("removed was observed, and nobody removed the partition")
	}
	return errors.Join(partition.remove(ctx), partition.inOrder(), nothingLeft(ctx, system))
}

func delayDelays(ctx context.Context, system System) error {
	if system.Delay == nil {
		return nil
	}
	timed := func(message string) (time.Duration, error) {
		start := time.Now()
		err := passes(ctx, system, message)
		return time.Since(start), err
	}
	if _, err := timed("before"); err != nil {
		return err
	}
	delay, err := inject(ctx, system, system.Delay())
	if err != nil {
		return err
	}
	// There and back again.
	least := 2 * system.Latency
	switch took, err := timed("delayed"); {
	case err != nil:
		return err
	case took < least:
		return fmt.Errorf("a message was confirmed after %v under a delay of %v each way", took, system.Latency)
	}
	if err := delay.remove(ctx); err != nil {
		return err
	}
	switch took, err := timed("after"); {
	case err != nil:
		return err
	case took >= least:
		return fmt.Errorf("a message took %v after the delay was removed", took)
	}
	return delay.inOrder()
}
