package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// releaseLimit is how long giving up a lease may take.
const releaseLimit = 10 * time.Second

// driveKubernetes starts the driver of a cluster with Chaos Mesh, under the
// target's lease.
func driveKubernetes(ctx context.Context, target *target.Target, tell func(string)) (driver, error) {
	cluster, config, err := clusterOf(target)
	if err != nil {
		return driver{}, err
	}
	held, err := lease.Take(ctx, cluster, lease.Options{Namespaces: namespaces(target), Holder: holder()})
	if err != nil {
		return driver{}, failure(fmt.Errorf("target %s: %w", target.Name, err))
	}
	release := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
		defer cancel()
		return held.Release(ctx)
	}
	faults, err := chaosmesh.Open(ctx, config, chaosmesh.Options{Namespaces: namespaces(target), Tell: tell})
	if err != nil {
		return driver{}, failure(errors.Join(fmt.Errorf("target %s: %w", target.Name, err), release()))
	}
	return driver{
		Driver: faults,
		hold:   held,
		// Faults go before the lease does: who takes it next sees them all.
		close: func() error { return errors.Join(faults.Close(), release()) },
	}, nil
}

// holder names this process for those who find the lease held.
func holder() string {
	name := os.Getenv("POD_NAME")
	if name == "" {
		name, _ = os.Hostname()
		if who, err := user.Current(); err == nil {
			name = who.Username + "@" + name
		}
	}
	return fmt.Sprintf("%s, process %d", name, os.Getpid())
}
