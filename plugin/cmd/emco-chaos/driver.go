package main

import (
	"context"
	"fmt"
	"io"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// driver is a running driver of a target that nobody else puts faults on
// meanwhile.
type driver struct {
	engine.Driver
	// hold keeps others from the target. There is none where nobody else can
	// come: on a cluster that has just been started for us.
	hold  hold
	close func() error
}

// hold keeps others from a target, as [lease.Held] does.
type hold interface {
	// Note tells others which run is under way.
	Note(ctx context.Context, run string) error
	// Guard returns a context that ends when others may put faults on the
	// target too, and stop, which waits for the end of what it started.
	Guard(ctx context.Context) (guarded context.Context, stop func())
	// Took returns whom the target was taken over from: one that died and may
	// have left faults.
	Took() (lease.State, bool)
}

// note tells others which run is under way.
func (d driver) note(ctx context.Context, run string) error {
	if d.hold == nil {
		return nil
	}
	return d.hold.Note(ctx, run)
}

// guard returns a context that ends when the target is not ours alone any
// more, and stop, which waits for the end of what it started.
func (d driver) guard(ctx context.Context) (guarded context.Context, stop func()) {
	if d.hold == nil {
		return ctx, func() {}
	}
	return d.hold.Guard(ctx)
}

// end ends a driver that was started, and says what went wrong.
func (d driver) end(errs io.Writer) {
	if d.close == nil {
		return
	}
	if err := d.close(); err != nil {
		fmt.Fprintln(errs, err)
	}
}

// drive starts the target's driver, and keeps others from the target. tell, if
// not nil, is told what hinders the removal of faults that others put on.
func drive(ctx context.Context, target *target.Target, tell func(string)) (driver, error) {
	if target.Driver.Kubernetes != nil {
		return driveKubernetes(ctx, target, tell)
	}
	return driveLocal(ctx, target)
}

func driveLocal(ctx context.Context, target *target.Target) (driver, error) {
	description, problems := local.Load(target.Driver.Local.Cluster)
	if problems != nil {
		return driver{}, problems
	}
	cluster, err := local.Start(ctx, description, local.Options{})
	if err != nil {
		return driver{}, failure(fmt.Errorf("start the local cluster: %w", err))
	}
	return driver{Driver: cluster, close: func() error {
		if err := cluster.Close(); err != nil {
			return fmt.Errorf("end the local cluster: %w", err)
		}
		return nil
	}}, nil
}
