package emco

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// Moment is one event of a call. Outcome is set in the last one.
type Moment struct {
	Name    string
	At      time.Time
	Outcome Outcome
}

// The moments of a call. The last one is one of the last three.
const (
	Started     = "started"    // nothing is connected yet
	Connected   = "connected"  // secured if it has to be
	Sent        = "sent"       // the whole request was given to the connection
	FirstByte   = "first-byte" // of the answer
	WasAccepted = "accepted"   // EMCO answered 2xx
	WasRejected = "rejected"   // EMCO answered, but not 2xx
	HasFailed   = "failed"     // no answer of EMCO came
)

// watch orders the moments of one call, which http.Transport reports from
// several goroutines.
type watch struct {
	on func(Moment)

	mu        sync.Mutex
	last      time.Time // time of the last moment emitted
	buffered  bool      // the whole request is in the write buffer
	writes    int       // writes that have not returned
	wrote     *sync.Cond
	sent      bool
	firstByte time.Time // of a first byte that is not yet emitted
	ended     bool
}

func newWatch(on func(Moment)) *watch {
	w := &watch{on: on}
	w.wrote = sync.NewCond(&w.mu)
	return w
}

// emit passes a moment on. Moments never run backwards: two goroutines can
// see neighbouring moments in the wrong order, microseconds apart.
func (w *watch) emit(name string, at time.Time, outcome Outcome) {
	if at.Before(w.last) {
		at = w.last
	}
	w.last = at
	w.on(Moment{Name: name, At: at, Outcome: outcome})
}

func (w *watch) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			w.unlessEnded(func() { w.emit(Connected, time.Now(), Outcome{}) })
		},
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			// http.Transport reports this before it flushes its buffer; the
			// connection sees when that is done.
			w.unlessEnded(func() { w.buffered = info.Err == nil })
		},
		GotFirstResponseByte: func() {
			w.unlessEnded(func() {
				w.firstByte = time.Now()
				if w.sent {
					w.emitFirstByte()
				}
			})
		},
	})
}

func (w *watch) unlessEnded(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		do()
	}
}

func (w *watch) emitFirstByte() {
	if !w.firstByte.IsZero() {
		w.emit(FirstByte, w.firstByte, Outcome{})
		w.firstByte = time.Time{}
	}
}

func (w *watch) end(outcome Outcome) (ended time.Time, sent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	// What the server did with the request can be seen before the write has
	// returned here. It returns soon: the connection is closed, or about to be.
	for w.writes > 0 {
		w.wrote.Wait()
	}
	w.emitFirstByte()
	outcome.Sent = w.sent
	name := HasFailed
	switch outcome.Kind {
	case Accepted:
		name = WasAccepted
	case Rejected:
		name = WasRejected
	}
	w.emit(name, time.Now(), outcome)
	w.ended = true
	return w.last, w.sent
}

// watchedConnection emits Sent when the request has left.
type watchedConnection struct {
	net.Conn
	*watch
	failed error // by which a read failed
}

// Read keeps the error of one that fails: http.Transport closes the connection
// then, and a write that comes late would tell of the close alone.
func (c *watchedConnection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.mu.Lock()
		c.failed = err
		c.mu.Unlock()
	}
	return n, err
}

func (c *watchedConnection) Write(p []byte) (int, error) {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes--
	if errors.Is(err, net.ErrClosed) && c.failed != nil {
		err = c.failed
	}
	if err == nil && c.buffered && !c.sent && !c.ended {
		c.sent = true
		c.emit(Sent, now, Outcome{})
		c.emitFirstByte()
	}
	c.wrote.Broadcast()
	return n, err
}
