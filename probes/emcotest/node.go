// Package emcotest is an EMCO to test against, as net/http/httptest is for HTTP: the same API and the same quirks as
// release 22.12, with services that talk over TCP alone and a state that outlives a SIGKILL. Start runs all of it in
// one process; the command emco-emulator runs each service as a process of its own.
package emcotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/clm"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/dcm"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/dtc"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/edge"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/etcd"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/orchestrator"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rsync"
)

// Node is one service, as it runs in a process of its own or beside others in one.
type Node interface {
	// Run serves until ctx ends. It calls listening as soon as its port is open.
	Run(ctx context.Context, listening func(address string)) error
}

// reconnect is how a client of etcd tries to reach it again.
var reconnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.5, Jitter: 0.1, MaxDelay: 500 * time.Millisecond},
	MinConnectTimeout: 5 * time.Second,
}

func etcdClient(address string) (*clientv3.Client, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{address}, Logger: zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(reconnect)},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to etcd at %s: %w", address, err)
	}
	return client, nil
}

func listen(address string, listening func(string)) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	listening(listener.Addr().String())
	return listener, nil
}

// Etcd is the etcd server.
type Etcd struct {
	Listen string
	Data   string // folder
}

// Run serves until ctx ends.
func (e Etcd) Run(ctx context.Context, listening func(string)) error {
	return etcd.Serve(ctx, func() (net.Listener, error) { return listen(e.Listen, listening) }, e.Data)
}

// Mongo is the document store in MongoDB's place.
type Mongo struct {
	Listen string
	Data   string // folder
}

// Run serves until ctx ends.
func (m Mongo) Run(ctx context.Context, listening func(string)) error {
	if err := os.MkdirAll(m.Data, 0o750); err != nil {
		return err
	}
	listener, err := listen(m.Listen, listening)
	if err != nil {
		return err
	}
	server, err := docstore.Open(filepath.Join(m.Data, "documents"))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return server.Serve(ctx, listener)
}

// Edge is the edge cluster's API server.
type Edge struct {
	Listen string
	Data   string // folder
}

// Run serves until ctx ends.
func (e Edge) Run(ctx context.Context, listening func(string)) error {
	if err := os.MkdirAll(e.Data, 0o750); err != nil {
		return err
	}
	listener, err := listen(e.Listen, listening)
	if err != nil {
		return err
	}
	server, err := edge.Open(filepath.Join(e.Data, "objects"))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	return server.Serve(ctx, listener)
}

// Rsync is the resource synchronizer.
type Rsync struct {
	Listen  string // for gRPC
	Metrics string // for HTTP
	Etcd    string // where etcd is
	Edge    string // where the edge cluster is
	Times   rsync.Times
	Bugs    bug.Set
}

// Run serves until ctx ends.
func (r Rsync) Run(ctx context.Context, listening func(string)) error {
	client, err := etcdClient(r.Etcd)
	if err != nil {
		return err
	}
	defer client.Close()
	metrics, err := listen(r.Metrics, func(string) {})
	if err != nil {
		return err
	}
	calls, err := listen(r.Listen, listening)
	if err != nil {
		return errors.Join(err, metrics.Close())
	}
	return rsync.Serve(ctx, calls, metrics, rsync.Config{
		Etcd: client, Edge: r.Edge, Times: r.Times, Bugs: r.Bugs.Of("rsync"),
	})
}

// Orchestrator is the orchestrator.
type Orchestrator struct {
	Listen       string
	Store        string // where the document store is
	StoreTimeout time.Duration
	Etcd         string        // where etcd is
	Rsync        string        // where rsync is really reached; default is where its registration says
	RsyncTimeout time.Duration // for rsync to greet; default 20 s
	AppTime      time.Duration
	Token        string
	Bugs         bug.Set
}

// Run serves until ctx ends.
func (o Orchestrator) Run(ctx context.Context, listening func(string)) error {
	client, err := etcdClient(o.Etcd)
	if err != nil {
		return err
	}
	defer client.Close()
	store := docstore.NewClient(o.Store, o.StoreTimeout)
	defer store.Close()
	return orchestrator.Serve(ctx, func() (net.Listener, error) { return listen(o.Listen, listening) }, orchestrator.Config{
		Store: store, Etcd: client, Rsync: o.Rsync, RsyncTimeout: o.RsyncTimeout, AppTime: o.AppTime, Token: o.Token, Bugs: o.Bugs.Of("orchestrator"),
	})
}

// DCM is the distributed cloud manager.
type DCM struct {
	Listen       string
	Store        string // where the document store is
	StoreTimeout time.Duration
	Etcd         string        // where etcd is
	Rsync        string        // where rsync is really reached; default is where its registration says
	RsyncTimeout time.Duration // for rsync to greet; default 20 s
	Time         time.Duration
	Token        string
	Bugs         bug.Set
}

// Run serves until ctx ends.
func (d DCM) Run(ctx context.Context, listening func(string)) error {
	client, err := etcdClient(d.Etcd)
	if err != nil {
		return err
	}
	defer client.Close()
	store := docstore.NewClient(d.Store, d.StoreTimeout)
	defer store.Close()
	return dcm.Serve(ctx, func() (net.Listener, error) { return listen(d.Listen, listening) }, dcm.Config{
		Store: store, Etcd: client, Rsync: d.Rsync, RsyncTimeout: d.RsyncTimeout, Time: d.Time, Token: d.Token, Bugs: d.Bugs.Of("dcm"),
	})
}

// StoreOnly is a service that stands on the document store alone.
type StoreOnly struct {
	Listen       string
	Store        string // where the document store is
	StoreTimeout time.Duration
	Token        string
}

func (s StoreOnly) run(listening func(string), serve func(net.Listener, *docstore.Client) error) error {
	store := docstore.NewClient(s.Store, s.StoreTimeout)
	defer store.Close()
	listener, err := listen(s.Listen, listening)
	if err != nil {
		return err
	}
	return serve(listener, store)
}

// CLM is the cluster manager.
type CLM struct{ StoreOnly }

// Run serves until ctx ends.
func (c CLM) Run(ctx context.Context, listening func(string)) error {
	return c.run(listening, func(listener net.Listener, store *docstore.Client) error {
		return clm.Serve(ctx, listener, clm.Config{Store: store, Token: c.Token})
	})
}

// DTC is the distributed traffic controller.
type DTC struct{ StoreOnly }

// Run serves until ctx ends.
func (d DTC) Run(ctx context.Context, listening func(string)) error {
	return d.run(listening, func(listener net.Listener, store *docstore.Client) error {
		return dtc.Serve(ctx, listener, dtc.Config{Store: store, Token: d.Token})
	})
}
