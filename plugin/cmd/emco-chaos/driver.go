package main

import (
	"context"
	"fmt"
	"io"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/local"
)

// driver is a running driver of a target that nobody else puts faults on
// meanwhile.
type driver struct {
	engine.Driver
	// begin tells others which run is under way. A nil one tells nobody.
	begin func(ctx context.Context, run string) error
	// lost is closed when others may put faults on the target too, and loss
	// says then why. A nil one never is.
	lost <-chan struct{}
	loss func() error
	// inherited says whom the target was taken over from: one that died and
	// may have left faults. Empty if there was none.
	inherited string
	close     func() error
}

// guard returns a context that ends when the target is not ours alone any
// more, and stop, which waits for the end of what it started.
func (d driver) guard(ctx context.Context) (guarded context.Context, stop func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-d.lost:
			cancel(fmt.Errorf("the target is not this run's alone any more: %w", d.loss()))
		case <-guarded.Done():
		}
	}()
	return guarded, func() {
		cancel(nil)
		<-done
	}
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
func drive(ctx context.Context, target *plan.Target, tell func(string)) (driver, error) {
	if target.Driver.Kubernetes != nil {
		return driveKubernetes(ctx, target, tell)
	}
	return driveLocal(ctx, target)
}

func driveLocal(ctx context.Context, target *plan.Target) (driver, error) {
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
