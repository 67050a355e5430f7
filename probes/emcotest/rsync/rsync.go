// Package rsync is EMCO's resource synchronizer: it takes events on AppContexts over gRPC, keeps them in etcd, and
// works them off against the edge clusters, through restarts of its own and outages of theirs.
package rsync

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/edge"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/installapp"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// Config is what an rsync needs.
type Config struct {
	Etcd  *clientv3.Client
	Edge  string // host:port of the edge cluster
	Times Times
	Bugs  bug.Set
}

// Times are what rsync takes for its work. A time of 0 is the default, which is near EMCO's.
type Times struct {
	PickUp    time.Duration // from an event's arrival to its beginning; default 20 ms
	Settle    time.Duration // from an event's beginning to its first resource; default 50 ms
	ApplyTime time.Duration // for one resource; default 60 ms
	Retry     time.Duration // between two attempts to reach a cluster; default 500 ms
}

func (t Times) withDefaults() Times {
	return Times{
		PickUp:    cmp.Or(t.PickUp, 20*time.Millisecond),
		Settle:    cmp.Or(t.Settle, 50*time.Millisecond),
		ApplyTime: cmp.Or(t.ApplyTime, 60*time.Millisecond),
		Retry:     cmp.Or(t.Retry, 500*time.Millisecond),
	}
}

// Server is an rsync.
type Server struct {
	config   Config
	contexts appcontext.Contexts
	edge     *edge.Client

	ctx     context.Context // the life of the server, and of all that it works on
	workers sync.WaitGroup
	mu      sync.Mutex
	running map[string]*worker
}

// Serve answers gRPC calls on calls and HTTP requests for /metrics on metrics until ctx ends.
func Serve(ctx context.Context, calls, metrics net.Listener, config Config) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	config.Times = config.Times.withDefaults()
	server := &Server{
		config: config, contexts: appcontext.New(config.Etcd), edge: edge.NewClient(config.Edge),
		ctx: ctx, running: map[string]*worker{},
	}
	defer server.edge.Close()
	rpc := grpc.NewServer(grpc.WaitForHandlers(true))
	installapp.Register(rpc, server)
	stop := context.AfterFunc(ctx, rpc.Stop)
	defer stop()

	server.workers.Go(func() { server.resume() })
	ended := make(chan error, 2)
	go func() {
		err := rpc.Serve(breaking{calls, ctx})
		if errors.Is(err, grpc.ErrServerStopped) { // before it had begun
			err = nil
		}
		ended <- err
	}()
	go func() { ended <- rest.Serve(ctx, metrics, http.Handler(rest.NewRouter(""))) }()
	err := <-ended
	end()
	err = errors.Join(err, <-ended)
	server.workers.Wait()
	return err
}

// Install takes an Instantiate event.
func (s *Server) Install(_ context.Context, contextID string) error {
	return s.take(contextID, appcontext.Event{Kind: appcontext.Instantiate})
}

// Uninstall takes a Terminate event.
func (s *Server) Uninstall(_ context.Context, contextID string) error {
	return s.take(contextID, appcontext.Event{Kind: appcontext.Terminate})
}

// Update takes an Update event: an AppContext takes over from another one.
func (s *Server) Update(_ context.Context, from, to string) error {
	return s.take(to, appcontext.Event{Kind: appcontext.Update, Other: from})
}

// take keeps an event in etcd and sees that somebody works on it. As in EMCO, a caller that is gone does not undo it.
func (s *Server) take(contextID string, event appcontext.Event) error {
	one := s.worker(contextID)
	one.mu.Lock()
	defer one.mu.Unlock()
	work, err := s.contexts.Enqueue(s.ctx, contextID, event)
	if err != nil {
		return err
	}
	s.attend(one, work, event.Kind == appcontext.Terminate)
	return nil
}

// resume takes up what an earlier process left.
func (s *Server) resume() {
	var active []string
	err := persist(s.ctx, func() (err error) {
		active, err = s.contexts.Active(s.ctx)
		return err
	})
	if err != nil {
		return
	}
	for _, contextID := range active {
		var work appcontext.Work
		err := persist(s.ctx, func() (err error) {
			work, err = s.contexts.Resume(s.ctx, contextID)
			return err
		})
		if err != nil {
			continue
		}
		one := s.worker(contextID)
		one.mu.Lock()
		s.attend(one, work, false)
		one.mu.Unlock()
	}
}

func (s *Server) worker(contextID string) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[contextID] == nil {
		s.running[contextID] = &worker{server: s, contextID: contextID}
	}
	return s.running[contextID]
}

// attend starts the worker if it rests. A termination interrupts what it is doing. The caller holds the worker's lock.
func (s *Server) attend(one *worker, work appcontext.Work, terminate bool) {
	if one.busy {
		if terminate {
			one.terminating = true
			one.interrupt()
		}
		return
	}
	if s.ctx.Err() != nil {
		return
	}
	one.busy, one.stopped = true, false
	one.interrupt = func() {}
	s.workers.Go(func() { one.run(work) })
}

// persist repeats an access to etcd until it succeeds, the AppContext is withdrawn, or ctx ends.
func persist(ctx context.Context, access func() error) error {
	for {
		err := access()
		if err == nil || ctx.Err() != nil || errors.Is(err, appcontext.ErrWithdrawn) || errors.Is(err, appcontext.ErrMissing) {
			return errors.Join(err, ctx.Err())
		}
		pause(ctx, 200*time.Millisecond)
	}
}

func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}
