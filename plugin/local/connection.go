package local

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	readSize = 32 << 10
	// queueLimit is how much of a delayed direction is on its way at most.
	// Beyond that nothing is read, so that the sender feels it.
	queueLimit = 1 << 20
)

// longAgo is a deadline that interrupts.
var longAgo = time.Unix(1, 0)

// connection is one TCP connection through a link: the one that the client
// made, and the one that goes on from here. While it is held nothing passes,
// and little more is read than what was in flight, so that the senders feel
// it. When an end closes meanwhile, all that is held is dropped.
type connection struct {
	client *net.TCPConn

	mu sync.Mutex
	// changed is broadcast when anything below has changed.
	changed *sync.Cond
	// server is nil until the connection goes on.
	server  *net.TCPConn
	traffic traffic
	// doomed says that nothing passes any more although the connection is
	// open: one of its ends is being killed.
	doomed  bool
	dropped bool
	// dialing ends the attempt to go on, while there is one.
	dialing context.CancelFunc
	lanes   [2]lane
	work    sync.WaitGroup
}

// lane is one direction of a connection.
type lane struct {
	queue []chunk
	bytes int
	// latest is when the last of queue is due.
	latest time.Time
	// writing says that a write is under way, and interrupted that it was
	// cut short.
	writing     bool
	interrupted bool
	// watching says that the source is watched for its end, not read.
	watching bool
	// ended says that the end of what the source sends has been read, and
	// finished that it was passed on.
	ended    bool
	finished bool
	// hasWriter says that a goroutine writes what is in queue.
	hasWriter bool
}

// chunk is something on its way: bytes, or the end of them.
type chunk struct {
	data  []byte
	due   time.Time
	end   bool
	reset bool
}

func newConnection(client *net.TCPConn, traffic traffic) *connection {
	c := &connection{client: client, traffic: traffic}
	c.changed = sync.NewCond(&c.mu)
	return c
}

// serve passes on what comes in until both ends have closed.
func (c *connection) serve(ctx context.Context, address string) {
	if !c.goOn(ctx, address) {
		return
	}
	c.work.Go(func() { c.read(forward) })
	c.work.Go(func() { c.read(backward) })
	c.work.Wait()
}

// goOn connects to the other end, as soon as nothing holds the connection.
func (c *connection) goOn(ctx context.Context, address string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A handshake takes a round trip.
	due := time.Now().Add(c.traffic.delay[forward].sample() + c.traffic.delay[backward].sample())
	for !c.dropped {
		if c.traffic.held() || c.doomed {
			c.watch(forward)
			continue
		}
		if wait := time.Until(due); wait > 0 && c.traffic.delay != [2]delay{} {
			c.waitFor(wait)
			continue
		}
		dialing, cancel := context.WithCancel(ctx)
		c.dialing = cancel
		c.mu.Unlock()
		var dialer net.Dialer
		server, err := dialer.DialContext(dialing, "tcp", address)
		if err == nil && toItself(server) {
			server.Close()
			err = net.ErrClosed
		}
		c.mu.Lock()
		cancel()
		c.dialing = nil
		c.changed.Broadcast()
		switch {
		case err == nil && c.dropped:
			server.Close()
		case err == nil:
			c.server = server.(*net.TCPConn)
			return true
		case !c.traffic.held() && !c.doomed:
			c.drop(true)
		}
	}
	return false
}

func (c *connection) source(d direction) *net.TCPConn {
	if d == forward {
		return c.client
	}
	return c.server
}

func (c *connection) destination(d direction) *net.TCPConn { return c.source(1 - d) }

// read takes what the source sends until it ends.
func (c *connection) read(d direction) {
	source := c.source(d)
	buffer := make([]byte, readSize)
	for {
		n, err := source.Read(buffer)
		c.mu.Lock()
		if n > 0 {
			c.pass(d, buffer[:n])
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.end(d, !errors.Is(err, io.EOF))
			c.mu.Unlock()
			return
		}
		c.awaitRoom(d)
		over := c.dropped
		c.mu.Unlock()
		if over {
			return
		}
	}
}

// awaitRoom waits until more can be read.
func (c *connection) awaitRoom(d direction) {
	for !c.dropped {
		switch {
		case c.traffic.hold[d] || c.doomed:
			c.watch(d)
		case c.lanes[d].bytes >= queueLimit:
			c.changed.Wait()
		default:
			return
		}
	}
}

// watch waits until the source has hung up, and drops the connection then, or
// until the source may be read again.
func (c *connection) watch(d direction) {
	source, lane := c.source(d), &c.lanes[d]
	lane.watching = true
	c.mu.Unlock()
	hung := awaitHangup(source)
	c.mu.Lock()
	lane.watching = false
	if c.dropped {
		return
	}
	_ = source.SetReadDeadline(time.Time{})
	if hung && (c.traffic.held() || c.doomed) {
		c.drop(false)
	}
}

// pass passes bytes on, now or when they are due.
func (c *connection) pass(d direction, data []byte) {
	if c.dropped || c.doomed {
		return
	}
	lane := &c.lanes[d]
	if len(lane.queue) == 0 && !lane.writing && !c.traffic.hold[d] && c.traffic.delay[d].isZero() {
		n, ok := c.write(d, data)
		if data = data[n:]; !ok || len(data) == 0 || c.dropped || c.doomed {
			return
		}
	}
	c.enqueue(d, chunk{data: slices.Clone(data)})
}

// end passes on that the source sends nothing more, or that it has reset the
// connection.
func (c *connection) end(d direction, reset bool) {
	lane := &c.lanes[d]
	lane.ended = true
	switch {
	case c.dropped:
	case c.traffic.held() || c.doomed:
		c.drop(reset)
	case len(lane.queue) == 0 && !lane.writing && c.traffic.delay[d].isZero():
		c.finish(d, reset)
	default:
		c.enqueue(d, chunk{end: true, reset: reset})
	}
}

func (c *connection) enqueue(d direction, next chunk) {
	lane := &c.lanes[d]
	next.due = time.Now().Add(c.traffic.delay[d].sample())
	if next.due.Before(lane.latest) {
		next.due = lane.latest // TCP keeps the order
	}
	lane.latest = next.due
	lane.queue = append(lane.queue, next)
	lane.bytes += len(next.data)
	if !lane.hasWriter {
		lane.hasWriter = true
		c.work.Go(func() { c.drain(d) })
	}
	c.changed.Broadcast()
}

// drain writes what is in a direction's queue.
func (c *connection) drain(d direction) {
	c.mu.Lock()
	defer c.mu.Unlock()
	lane := &c.lanes[d]
	for !c.dropped && !lane.finished {
		if len(lane.queue) == 0 || lane.writing || c.traffic.hold[d] || c.doomed {
			c.changed.Wait()
			continue
		}
		head := lane.queue[0]
		if wait := time.Until(head.due); wait > 0 && !c.traffic.delay[d].isZero() {
			c.waitFor(wait)
			continue
		}
		if head.end {
			c.finish(d, head.reset)
			return
		}
		n, _ := c.write(d, head.data)
		if c.dropped || len(lane.queue) == 0 {
			continue
		}
		lane.bytes -= n
		if lane.queue[0].data = head.data[n:]; len(lane.queue[0].data) == 0 {
			lane.queue = lane.queue[1:]
		}
	}
}

// waitFor waits until something has changed, or the time is over.
func (c *connection) waitFor(wait time.Duration) {
	timer := time.AfterFunc(wait, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer timer.Stop()
	c.changed.Wait()
}

// write writes to the destination, and says how much of it went out and
// whether more can.
func (c *connection) write(d direction, data []byte) (int, bool) {
	destination, lane := c.destination(d), &c.lanes[d]
	lane.writing = true
	c.mu.Unlock()
	n, err := destination.Write(data)
	c.mu.Lock()
	lane.writing = false
	if lane.interrupted {
		lane.interrupted = false
		_ = destination.SetWriteDeadline(time.Time{})
	}
	c.changed.Broadcast()
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.drop(true)
		return n, false
	}
	return n, true
}

// finish tells the destination that nothing more comes.
func (c *connection) finish(d direction, reset bool) {
	c.lanes[d].finished = true
	if reset || c.lanes[1-d].finished {
		c.drop(reset)
		return
	}
	_ = c.destination(d).CloseWrite()
	c.changed.Broadcast()
}

// set puts the link's faults on the connection. Once it has returned nothing
// passes in a direction that is held.
func (c *connection) set(traffic traffic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	released := c.traffic.held() && !traffic.held()
	if released && !c.dropped && !c.doomed && c.endHungUp() {
		c.drop(false)
	}
	c.traffic = traffic
	c.changed.Broadcast()
	for d := range c.lanes {
		lane := &c.lanes[d]
		held := traffic.hold[d] || c.server == nil && traffic.held()
		if lane.watching && !held && !c.doomed && !c.dropped {
			_ = c.source(direction(d)).SetReadDeadline(longAgo)
		}
		if traffic.hold[d] && lane.writing && !c.dropped {
			lane.interrupted = true
			_ = c.destination(direction(d)).SetWriteDeadline(longAgo)
		}
	}
	if traffic.held() && c.dialing != nil {
		c.dialing()
	}
	for traffic.hold[forward] && c.lanes[forward].writing || traffic.hold[backward] && c.lanes[backward].writing ||
		traffic.held() && c.dialing != nil {
		c.changed.Wait()
	}
}

// endHungUp says whether one of the ends has closed the connection.
func (c *connection) endHungUp() bool {
	return hungUp(c.client, c.lanes[forward].ended) || c.server != nil && hungUp(c.server, c.lanes[backward].ended)
}

// doom lets nothing pass any more, without the ends seeing anything yet.
func (c *connection) doom() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doomed = true
	for d := range c.lanes {
		c.lanes[d].queue, c.lanes[d].bytes = nil, 0
	}
	c.changed.Broadcast()
}

// close drops the connection.
func (c *connection) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(false)
}

// drop closes both ends and forgets what was on its way.
func (c *connection) drop(reset bool) {
	if c.dropped {
		return
	}
	c.dropped = true
	for d := range c.lanes {
		c.lanes[d].queue, c.lanes[d].bytes = nil, 0
	}
	for _, end := range []*net.TCPConn{c.client, c.server} {
		if end == nil {
			continue
		}
		if reset {
			_ = end.SetLinger(0)
		}
		end.Close()
	}
	if c.dialing != nil {
		c.dialing()
	}
	c.changed.Broadcast()
}
