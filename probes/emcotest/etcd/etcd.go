// Package etcd runs a real etcd server inside a process, tuned for a machine that tests on itself.
package etcd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"go.etcd.io/etcd/server/v3/embed"
)

// The server's clock, in milliseconds. A lone member waits one election before it answers.
const (
	tick     = 10
	election = 100
)

// Serve runs an etcd server with its state in the folder data, opens a port for its clients when it is ready to
// answer, and answers until ctx ends. Then the connections break first. What the server has answered outlives a SIGKILL
// of its process, not a loss of power.
func Serve(ctx context.Context, listen func() (net.Listener, error), data string) error {
	server, err := start(ctx, data)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	if err != nil {
		return err
	}
	listener, err := listen()
	if err != nil {
		server.Close()
		return err
	}
	ctx, end := context.WithCancel(ctx)
	defer end()
	door := newFront(listener, server.Clients[0].Addr().String())
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		door.serve()
	}()
	select {
	case err = <-server.Err():
	case <-ctx.Done():
	}
	door.close()
	<-forwarded
	server.Close()
	return err
}

// start starts the server on ports of its own that nobody else is told, and returns when it answers.
func start(ctx context.Context, data string) (*embed.Etcd, error) {
	anywhere := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	settings := embed.NewConfig()
	settings.Name = "etcd"
	settings.Dir = data
	settings.LogLevel = "fatal"
	settings.UnsafeNoFsync = true
	settings.TickMs, settings.ElectionMs = tick, election
	settings.ListenClientUrls, settings.AdvertiseClientUrls = anywhere, anywhere
	settings.ListenPeerUrls, settings.AdvertisePeerUrls = anywhere, anywhere
	settings.InitialCluster = settings.InitialClusterFromName(settings.Name)
	server, err := embed.StartEtcd(settings)
	if err != nil {
		return nil, fmt.Errorf("start etcd on %s: %w", data, err)
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case err = <-server.Err():
	case <-ctx.Done():
		err = ctx.Err()
	}
	server.Close()
	return nil, fmt.Errorf("start etcd on %s: %w", data, err)
}
