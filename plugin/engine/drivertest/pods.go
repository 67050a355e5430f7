package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

func killIsTrue(ctx context.Context, system System) error {
	before, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return err
	}
	view := look(ctx, system)
	defer view.close()
	kill, err := apply(ctx, system, system.Kill())
	if err != nil {
		return err
	}
	down, err := kill.await(ctx, system, plan.Down)
	if err != nil {
		return err
	}
	ready, err := kill.await(ctx, system, plan.Ready)
	if err != nil {
		return err
	}
	after, err := awaitAnswer(ctx, system, system.Lag)
	if err != nil {
		return fmt.Errorf("the driver says that the service is ready: %w", err)
	}
	if after == before {
		return fmt.Errorf("the driver says that the service was down and is ready, but the instance %s never went", before)
	}
	if err := kill.remove(ctx); err != nil {
		return err
	}
	answers := view.close()
	for _, one := range answers {
		switch {
		case one.err != nil || one.asked.Before(down.At):
		case one.instance == before:
			return fmt.Errorf("the instance %s was still asked %v after down, and answered", before, one.asked.Sub(down.At))
		case one.instance != after:
			return fmt.Errorf("between %s and %s there was an instance %s", before, after, one.instance)
		}
	}
	if ready.At.Before(down.At) {
		return errors.New("ready is before down")
	}
	if !kill.has(plan.Rescheduled) {
		return errors.New("rescheduled was not observed")
	}
	return kill.inOrder()
}

func removeBeforeReady(ctx context.Context, system System) error {
	before, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return err
	}
	kill, err := apply(ctx, system, system.Kill())
	if err != nil {
		return err
	}
	if _, err := kill.await(ctx, system, plan.Down); err != nil {
		return err
	}
	if err := kill.remove(ctx); err != nil {
		return err
	}
	if err := nothingLeft(ctx, system); err != nil {
		return err
	}
	after, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return fmt.Errorf("the kill was removed before the service was back: %w", err)
	}
	if after == before {
		return fmt.Errorf("the instance %s never went", before)
	}
	return kill.inOrder()
}

func killTwice(ctx context.Context, system System) error {
	var instances []string
	for range 2 {
		instance, err := awaitAnswer(ctx, system, system.Patience)
		if err != nil {
			return err
		}
		if slices.Contains(instances, instance) {
			return fmt.Errorf("the instance %s outlived a kill", instance)
		}
		instances = append(instances, instance)
		kill, err := apply(ctx, system, system.Kill())
		if err != nil {
			return err
		}
		if _, err := kill.await(ctx, system, plan.Ready); err != nil {
			return err
		}
		if err := kill.remove(ctx); err != nil {
			return err
		}
		if err := kill.inOrder(); err != nil {
			return err
		}
	}
	instance, err := awaitAnswer(ctx, system, system.Lag)
	if err != nil {
		return err
	}
	if slices.Contains(instances, instance) {
		return fmt.Errorf("the instance %s outlived a kill", instance)
	}
	return nil
}

func failureLasts(ctx context.Context, system System) error {
	before, err := awaitAnswer(ctx, system, system.Patience)
	if err != nil {
		return err
	}
	view := look(ctx, system)
	defer view.close()
	failure, err := apply(ctx, system, system.Failure())
	if err != nil {
		return err
	}
	down, err := failure.await(ctx, system, plan.Down)
	if err != nil {
		return err
	}
	if err := wait(ctx, 2*system.Quiet); err != nil {
		return err
	}
	if failure.has(plan.Ready) {
		return errors.New("ready was observed while the failure was there")
	}
	still := time.Now()
	if err := failure.remove(ctx); err != nil {
		return err
	}
	ready, err := failure.await(ctx, system, plan.Ready)
	if err != nil {
		return fmt.Errorf("after the failure was removed: %w", err)
	}
	after, err := awaitAnswer(ctx, system, system.Lag)
	if err != nil {
		return fmt.Errorf("the driver says that the service is ready: %w", err)
	}
	if after == before {
		return fmt.Errorf("the instance %s never went", before)
	}
	if ready.At.Before(still) {
		return errors.New("ready says that it happened while the failure was there")
	}
	if one, served := servedBetween(view.close(), down.At, still); served {
		return fmt.Errorf("the instance %s answered between down and the failure's end, asked %v after down", one.instance, one.asked.Sub(down.At))
	}
	return failure.inOrder()
}

func watchIsTrue(ctx context.Context, system System) error {
	watcher, able := system.Driver.(engine.Watcher)
	if !able {
		return errors.New("the driver does not watch the services")
	}
	if _, err := awaitAnswer(ctx, system, system.Patience); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
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
	kill, err := apply(ctx, system, system.Kill())
	if err != nil {
		return err
	}
	if _, err := kill.await(ctx, system, plan.Ready); err != nil {
		return err
	}
	if err := kill.remove(ctx); err != nil {
		return err
	}
	before, err := awaitAnswer(ctx, system, system.Lag)
	if err != nil {
		return err
	}
	if err := wait(ctx, system.Quiet); err != nil {
		return err
	}
	select {
	case d := <-seen:
		return fmt.Errorf("what the fault did is told as what somebody else did: %s: %s", d.Service, d.Text)
	default:
	}
	struck := time.Now()
	if err := system.Crash(ctx); err != nil {
		return fmt.Errorf("crash the service: %w", err)
	}
	select {
	case d := <-seen:
		if d.Service == "" || d.Text == "" || d.At.Before(struck.Add(-time.Second)) || d.At.After(time.Now()) {
			return fmt.Errorf("the service has crashed at %v, and what is told is %+v", struck, d)
		}
	case err := <-ended:
		return fmt.Errorf("the watch has ended: %w", err)
	case <-time.After(system.Patience):
		return fmt.Errorf("the instance %s has crashed, and nothing is told of it within %v", before, system.Patience)
	}
	stop()
	select {
	case <-ended:
		return nil
	case <-time.After(system.Patience):
		return errors.New("the watch goes on after its context has ended")
	}
}
