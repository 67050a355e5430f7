package run

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/lease"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"k8s.io/client-go/rest"
)

// releaseLimit is how long releasing the lock may take.
const releaseLimit = 10 * time.Second

// Target is a target that this process alone puts faults on.
type Target struct {
	engine.Driver
	Lock
	close func() error
	tell  func(string)
}

// Lock keeps others off a target; [lease.Held] is one.
type Lock interface {
	// Note tells others which run is under way.
	Note(ctx context.Context, run string) error
	// Guard returns a context that ends when the lock is lost, and stop, which
	// waits for the end of what Guard started.
	Guard(ctx context.Context) (guarded context.Context, stop func())
	// Took returns the holder that the lock was taken over from: one that died
	// and may have left faults.
	Took() (lease.State, bool)
	Release(ctx context.Context) error
}

// noLock is for a target that nobody else reaches, or that the caller has locked.
type noLock struct{}

func (noLock) Note(context.Context, string) error { return nil }
func (noLock) Guard(ctx context.Context) (guarded context.Context, stop func()) {
	return ctx, func() {}
}
func (noLock) Took() (lease.State, bool)     { return lease.State{}, false }
func (noLock) Release(context.Context) error { return nil }

// Open starts the target's driver under the target's lock. What is removed, and
// what hinders that, goes to tell. [*lease.HeldError]: another run is under way.
func Open(ctx context.Context, target *target.Target, tell func(string)) (*Target, error) {
	if target.Driver.Kubernetes == nil {
		return OpenLocal(ctx, target, tell)
	}
	cluster, config, err := Connect(target)
	if err != nil {
		return nil, err
	}
	held, err := lease.Take(ctx, cluster, lease.Options{Namespaces: Namespaces(target), Holder: Holder()})
	if err != nil {
		if message, remedy := chaosmesh.Unreached(err); remedy != "" {
			return nil, fmt.Errorf("target %s: %s; %s", target.Name, message, remedy)
		}
		return nil, fmt.Errorf("target %s: %w", target.Name, err)
	}
	opened, err := OpenLocked(ctx, target, config, tell)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("target %s: %w", target.Name, err), (&Target{Lock: held}).release())
	}
	opened.Lock = held
	return opened, nil
}

// OpenLocked starts the Kubernetes driver of a target that the caller has locked.
func OpenLocked(ctx context.Context, target *target.Target, config *rest.Config, tell func(string)) (*Target, error) {
	faults, err := chaosmesh.Open(ctx, config, chaosmesh.Options{Namespaces: Namespaces(target), Services: target.Services, Tell: tell})
	if err != nil {
		return nil, err
	}
	return &Target{Driver: faults, Lock: noLock{}, close: faults.Close, tell: tell}, nil
}

// OpenLocal starts the processes of a local target, with their driver.
func OpenLocal(ctx context.Context, target *target.Target, tell func(string)) (*Target, error) {
	description, err := local.Load(target.Driver.Local.Cluster)
	if err != nil {
		return nil, &UsageError{err}
	}
	cluster, err := local.Start(ctx, description, local.Options{})
	if err != nil {
		return nil, fmt.Errorf("start the local cluster: %w", err)
	}
	return &Target{Driver: cluster, Lock: noLock{}, tell: tell, close: func() error {
		if err := cluster.Close(); err != nil {
			return fmt.Errorf("end the local cluster: %w", err)
		}
		return nil
	}}, nil
}

// Close ends the driver, then releases the lock, so that the next holder finds
// every fault gone or listed.
func (t *Target) Close() error { return errors.Join(t.close(), t.release()) }

func (t *Target) release() error {
	ctx, cancel := context.WithTimeout(context.Background(), releaseLimit)
	defer cancel()
	return t.Release(ctx)
}

// Holder names this process for those who find the lock held.
func Holder() string {
	name := os.Getenv("POD_NAME")
	if name == "" {
		name, _ = os.Hostname()
		if who, err := user.Current(); err == nil {
			name = who.Username + "@" + name
		}
	}
	return fmt.Sprintf("%s, process %d", name, os.Getpid())
}
