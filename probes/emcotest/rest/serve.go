// Package rest is what EMCO's REST services have in common: how they are served, route, read bodies, keep resources
// and word their errors.
package rest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

const headerTimeout = time.Minute

// Serve answers requests on listener until ctx ends. Then it breaks all connections, ends the contexts of the
// requests in flight, and returns when their handlers have. A request's context does not end with its connection: as
// in EMCO, an operation goes on when its caller has left.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	work, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	door := gate{}
	server := &http.Server{
		ReadHeaderTimeout: headerTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !door.enter() {
				panic(http.ErrAbortHandler)
			}
			defer door.leave()
			handler.ServeHTTP(w, r.WithContext(work))
		}),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var err error
	select {
	case err = <-served:
		err = errors.Join(err, server.Close())
	case <-ctx.Done():
		err = server.Close()
		<-served
	}
	end()
	door.shut()
	return err
}

// gate counts who is inside, and lets nobody in once it is shut.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

func (g *gate) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.inside.Add(1)
	}
	return !g.closed
}

func (g *gate) leave() { g.inside.Done() }

func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}
