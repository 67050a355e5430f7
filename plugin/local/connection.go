package local

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// direction is one of the two ways through a link; its value is the index of
// the end that sends.
type direction int

const (
	// forward leads from the pod that connects to what the link leads to.
	forward direction = iota
	// backward is the way of the answers.
	backward
)

const readSize = 32 << 10

var longAgo = time.Unix(1, 0)

// connection is one TCP connection through a link: the client's, and the one
// that goes on from here. While a direction is held no more of it is read than
// one buffer, so that the sender feels it. When an end closes a held
// connection, all of it is dropped. The link's lock guards the fields.
type connection struct {
	link *link
	// ends are the client and the server; there is no server until the
	// connection goes on.
	ends [2]*net.TCPConn
	// Of each direction: the source is watched for its end, not read; a write to
	// the destination is under way; the source's end was read and passed on.
	watching, writing, ended [2]bool
	// closed: both ends are closed, and nothing passes any more.
	closed   bool
	requests requests
}

// serve passes on what comes in until both ends have closed.
func (c *connection) serve() {
	if !c.dial() {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { c.pump(forward) })
	pumps.Go(func() { c.pump(backward) })
	pumps.Wait()
}

// dial connects to the other end as soon as nothing holds the link.
func (c *connection) dial() bool {
	l := c.link
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.holds() && !c.closed {
		c.watch(forward)
	}
	if c.closed {
		return false
	}
	l.mu.Unlock()
	var dialer net.Dialer
	server, err := dialer.DialContext(l.cluster.ctx, "tcp", l.Connect)
	if err == nil && toItself(server) {
		server.Close()
		err = net.ErrClosed
	}
	l.mu.Lock()
	switch {
	case err != nil:
		c.close(true)
	case c.closed:
		server.Close()
	default:
		c.ends[backward] = server.(*net.TCPConn)
	}
	return !c.closed
}

// pump passes on what the source sends until it ends.
func (c *connection) pump(d direction) {
	buffer := make([]byte, readSize)
	for {
		n, err := c.ends[d].Read(buffer)
		c.link.mu.Lock()
		if d == backward {
			c.requests.answered()
		} else {
			c.link.begin(c.requests.asks(buffer[:n]))
		}
		passed := c.pass(d, buffer[:n])
		if passed && err != nil {
			c.end(d, err)
		}
		c.link.mu.Unlock()
		if !passed || err != nil {
			return
		}
	}
}

// pass writes to the destination whenever the direction is not held, and
// reports whether the connection is still there.
func (c *connection) pass(d direction, data []byte) bool {
	l, destination := c.link, c.ends[1-d]
	for len(data) > 0 {
		for l.held[d] && !c.closed {
			c.watch(d)
		}
		if c.closed {
			return false
		}
		c.writing[d] = true
		l.mu.Unlock()
		n, err := destination.Write(data)
		l.mu.Lock()
		c.writing[d] = false
		l.changed.Broadcast()
		data = data[n:]
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded): // interrupted by a hold
			_ = destination.SetWriteDeadline(time.Time{})
		case err != nil:
			c.close(true)
		}
	}
	return !c.closed
}

// watch waits until the link changes or the source hangs up, which closes a
// connection that is held.
func (c *connection) watch(d direction) {
	l, source := c.link, c.ends[d]
	c.watching[d] = true
	l.mu.Unlock()
	hung := awaitHangup(source)
	l.mu.Lock()
	c.watching[d] = false
	_ = source.SetReadDeadline(time.Time{})
	if hung && l.holds() {
		c.close(false)
	}
}

// end passes on that the source sends nothing more, or reset the connection.
func (c *connection) end(d direction, err error) {
	reset := !errors.Is(err, io.EOF)
	c.ended[d] = true
	if reset || c.link.holds() || c.ended[1-d] {
		c.close(reset)
	} else {
		_ = c.ends[1-d].CloseWrite()
	}
}

// gate has the connection heed what its link holds now. One that is released
// after an end has hung up is closed, whether or not anybody has read that yet.
func (c *connection) gate(released bool) {
	for d, end := range c.ends {
		if end != nil && released && hungUp(end, c.ended[d]) {
			c.close(false)
		}
	}
	for d, held := range c.link.held {
		if c.watching[d] {
			_ = c.ends[d].SetReadDeadline(longAgo)
		}
		if c.writing[d] && held {
			_ = c.ends[1-d].SetWriteDeadline(longAgo)
		}
	}
}

// writes reports whether something of a held direction is being written.
func (c *connection) writes() bool {
	return c.writing[forward] && c.link.held[forward] || c.writing[backward] && c.link.held[backward]
}

func (c *connection) close(reset bool) {
	if c.closed {
		return
	}
	c.closed = true
	for _, end := range c.ends {
		if end != nil && reset {
			_ = end.SetLinger(0)
		}
		if end != nil {
			end.Close()
		}
	}
}
