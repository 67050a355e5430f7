package local

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	linkPatience = 20 * time.Second
	linkQuiet    = 100 * time.Millisecond
)

// rig is a link between a test that connects and a test that accepts.
type rig struct {
	t        testing.TB
	link     *link
	listener net.Listener
}

func newRig(t testing.TB) *rig {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var cluster Cluster
	cluster.ctx, cluster.stop = context.WithCancel(context.Background())
	// A free port of the kernel's own choice.
	free, err := reserve("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(int(free.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	four := name.(*syscall.SockaddrInet4)
	address := (&net.TCPAddr{IP: four.Addr[:], Port: four.Port}).String()
	l, err := cluster.newLink(Link{From: "client", External: "server", Listen: address, Connect: listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	if err := l.open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		listener.Close()
		cluster.stop()
		l.close()
		cluster.work.Wait()
	})
	return &rig{t: t, link: l, listener: listener}
}

func (r *rig) hold()    { r.holdFrom(1, forward, backward) }
func (r *rig) release() { r.link.lift(func(*holder) bool { return true }) }

// holdFrom holds directions with the request of that number.
func (r *rig) holdFrom(request int, directions ...direction) {
	h := &holder{}
	if request > 1 {
		h.awaited = request
	}
	for _, d := range directions {
		h.directions[d] = true
	}
	r.link.hold(h)
}

func (r *rig) connect() *net.TCPConn {
	r.t.Helper()
	connection, err := net.Dial("tcp", r.link.Listen)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { connection.Close() })
	return connection.(*net.TCPConn)
}

func (r *rig) accept() *net.TCPConn {
	r.t.Helper()
	_ = r.listener.(*net.TCPListener).SetDeadline(time.Now().Add(linkPatience))
	connection, err := r.listener.Accept()
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { connection.Close() })
	return connection.(*net.TCPConn)
}

// pair is a connection that goes through, seen from both ends.
func (r *rig) pair() (client, server *net.TCPConn) {
	r.t.Helper()
	client = r.connect()
	server = r.accept()
	r.say(client, "hello")
	r.hear(server, "hello")
	r.say(server, "welcome")
	r.hear(client, "welcome")
	return client, server
}

func (r *rig) say(to *net.TCPConn, text string) {
	r.t.Helper()
	if _, err := to.Write([]byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) hear(from *net.TCPConn, text string) {
	r.t.Helper()
	_ = from.SetReadDeadline(time.Now().Add(linkPatience))
	defer from.SetReadDeadline(time.Time{})
	got := make([]byte, len(text))
	if n, err := io.ReadFull(from, got); err != nil || string(got) != text {
		r.t.Fatalf("heard %q, %v; not %q", got[:n], err, text)
	}
}

// silent checks that nothing comes, not even an end.
func (r *rig) silent(from *net.TCPConn) {
	r.t.Helper()
	_ = from.SetReadDeadline(time.Now().Add(linkQuiet))
	defer from.SetReadDeadline(time.Time{})
	n, err := from.Read(make([]byte, 1))
	if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("read %d bytes, %v", n, err)
	}
}

// ends checks that the connection ends without another byte.
func (r *rig) ends(from *net.TCPConn) error {
	r.t.Helper()
	_ = from.SetReadDeadline(time.Now().Add(linkPatience))
	n, err := from.Read(make([]byte, 1))
	if n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("read %d bytes, %v", n, err)
	}
	return err
}

// empty checks that the link has forgotten all of its connections.
func (r *rig) empty() {
	r.t.Helper()
	deadline := time.Now().Add(linkPatience)
	for {
		r.link.mu.Lock()
		count := len(r.link.connections)
		r.link.mu.Unlock()
		if count == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the link still has %d connections", count)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestLinkPasses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	// One end that is closed leaves the other way open.
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if err := r.ends(server); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	r.say(server, "answer")
	r.hear(client, "answer")
	server.Close()
	if err := r.ends(client); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	r.empty()
}

func TestLinkPassesResets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	_ = client.SetLinger(0)
	client.Close()
	if err := r.ends(server); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
	r.empty()
}

func TestLinkToNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.listener.Close()
	client, err := net.Dial("tcp", r.link.Listen)
	if err == nil { // or it was reset before that
		err = r.ends(client.(*net.TCPConn))
		client.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v", err)
	}
	r.empty()
}

func TestHoldAndRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	for range 3 {
		r.hold()
		r.say(client, "question ")
		r.say(client, "and another one")
		r.say(server, "answer")
		r.silent(server)
		r.silent(client)
		r.release()
		r.hear(server, "question and another one")
		r.hear(client, "answer")
	}
}

// TestHoldIsComplete has bytes flow while the link is held: none that is sent
// later than the hold passes, and in the end all of them have, in their order.
func TestHoldIsComplete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	const size = 32 << 20
	data := make([]byte, size)
	_, _ = rand.Read(data)
	sent := make(chan error, 1)
	go func() {
		_, err := client.Write(data)
		if err == nil {
			err = client.CloseWrite()
		}
		sent <- err
	}()
	var mu sync.Mutex
	received := 0
	sum := sha256.New()
	done := make(chan error, 1)
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			mu.Lock()
			received += n
			sum.Write(buffer[:n])
			mu.Unlock()
			if err != nil {
				done <- err
				return
			}
		}
	}()
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return received
	}
	for count() < size/10 {
		time.Sleep(time.Millisecond)
	}
	r.hold()
	// What was sent before is on its way between kernels.
	before := -1
	for now := count(); now != before; now = count() {
		before = now
		time.Sleep(linkQuiet)
	}
	if before == size {
		t.Skip("all bytes had passed before the hold")
	}
	time.Sleep(linkQuiet)
	if after := count(); after != before {
		t.Errorf("%d bytes passed a held link", after-before)
	}
	select {
	case err := <-sent:
		t.Errorf("the sender felt nothing of the hold: %v", err)
	default:
	}
	r.release()
	if err := <-sent; err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if want := sha256.Sum256(data); received != size || !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Errorf("%d of %d bytes came, or not in their order", received, size)
	}
}

// TestHeldEndDies closes an end of a held connection in each way: nothing of
// it passes, neither then nor at the release, and the other end learns it.
func TestHeldEndDies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		server bool
		close  func(*net.TCPConn)
	}{
		{"client, EOF", false, func(c *net.TCPConn) { c.Close() }},
		{"client, half", false, func(c *net.TCPConn) { _ = c.CloseWrite() }},
		{"client, reset", false, func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() }},
		{"server, EOF", true, func(c *net.TCPConn) { c.Close() }},
		{"server, reset", true, func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			client, server := r.pair()
			dying, other := client, server
			if test.server {
				dying, other = server, client
			}
			r.hold()
			r.say(dying, "dead")
			r.silent(other)
			test.close(dying)
			_ = r.ends(other)
			r.release()
			r.empty()
		})
	}
}

// TestHeldEndDiesLoaded closes an end that has sent more than is read of it.
func TestHeldEndDiesLoaded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	r.hold()
	_ = client.SetWriteDeadline(time.Now().Add(linkQuiet))
	_, _ = client.Write(make([]byte, 32<<20))
	_ = client.SetLinger(0)
	client.Close()
	_ = r.ends(server)
	r.empty()
}

// TestReleaseAtDeath releases at the moment in which the end of a held
// connection has come in, whether or not anybody has taken note of it.
func TestReleaseAtDeath(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 50 {
		client, server := r.pair()
		r.hold()
		r.say(client, "dead")
		client.Close()
		for r.living() {
			runtime.Gosched()
		}
		r.release()
		_ = r.ends(server)
		r.empty()
	}
}

// living says whether the link has a connection whose client has not hung up.
func (r *rig) living() bool {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	for connection := range r.link.connections {
		if !hungUp(connection.ends[forward], false) {
			return true
		}
	}
	return false
}

// TestNewConnectionIsNotMade holds a connection before it goes on: the server
// sees nothing of it, and never does when the client goes away.
func TestNewConnectionIsNotMade(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hold()
	gone, living := r.connect(), r.connect()
	r.say(gone, "dead")
	r.say(living, "alive")
	_ = r.listener.(*net.TCPListener).SetDeadline(time.Now().Add(linkQuiet))
	if _, err := r.listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server saw a connection, %v", err)
	}
	gone.Close()
	r.release()
	r.hear(r.accept(), "alive")
	_ = r.listener.(*net.TCPListener).SetDeadline(time.Now().Add(linkQuiet))
	if _, err := r.listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server saw the connection of a client that had gone, %v", err)
	}
}

// TestAcceptedTooLate has a client go before its connection is accepted: what
// it sent never arrives, although nothing holds the link any more.
func TestAcceptedTooLate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.link.mu.Lock() // nothing is accepted
	client := r.connect()
	r.say(client, "dead")
	client.Close()
	r.link.mu.Unlock()
	_ = r.listener.(*net.TCPListener).SetDeadline(time.Now().Add(linkQuiet))
	if _, err := r.listener.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the server saw the connection of a client that had gone, %v", err)
	}
	r.pair()
}

// TestDropHeld drops what a link holds, and nothing of one that is open.
func TestDropHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	if len(r.link.dropHeld()) > 0 {
		t.Error("an open link is held")
	}
	r.say(client, "alive")
	r.hear(server, "alive")
	r.hold()
	r.say(client, "dead")
	if len(r.link.dropHeld()) == 0 {
		t.Error("a held link is open")
	}
	_ = r.ends(client)
	_ = r.ends(server)
	r.release()
	r.empty()
	r.pair()
}

// TestOneWay holds one direction, and then the other one.
func TestOneWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, server := r.pair()
	r.holdFrom(1, forward)
	r.say(client, "question")
	r.say(server, "answer")
	r.hear(client, "answer")
	r.silent(server)
	r.holdFrom(1, backward)
	r.link.lift(func(h *holder) bool { return h.directions[forward] })
	r.hear(server, "question")
	r.say(server, "another answer")
	r.silent(client)
	r.release()
	r.hear(client, "another answer")
}

// TestHoldFromARequest lets the requests pass that come before the one with which
// the link is held, on whichever connection they come.
func TestHoldFromARequest(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"before the work": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			client, server := r.pair()
			if after {
				r.holdFrom(3, backward)
			} else {
				r.holdFrom(3, forward, backward)
			}
			r.say(client, "first")
			r.hear(server, "first")
			r.say(server, "answer")
			r.hear(client, "answer")
			other, another := r.pair() // which is the second
			r.say(client, "third")
			if after {
				r.hear(server, "third")
				r.say(server, "unheard")
			}
			r.silent(client)
			if !after {
				r.silent(server)
				r.say(other, "held too")
				r.silent(another)
			}
			r.release()
			if after {
				r.hear(client, "unheard")
			} else {
				r.hear(server, "third")
			}
		})
	}
}

func TestReservedAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.link.refuse()
	if _, err := net.Dial("tcp", r.link.Listen); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
	if err := r.link.open(); err != nil {
		t.Fatal(err)
	}
	r.pair()
}

// BenchmarkRoundTrip compares a round trip of 64 bytes through a link with
// one without.
func BenchmarkRoundTrip(b *testing.B) {
	serve := func(connection net.Conn) {
		defer connection.Close()
		_, _ = io.Copy(connection, connection)
	}
	round := func(b *testing.B, connection net.Conn) {
		message := make([]byte, 64)
		for b.Loop() {
			if _, err := connection.Write(message); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(connection, message); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("direct", func(b *testing.B) {
		r := newRig(b)
		client, err := net.Dial("tcp", r.listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		go serve(r.accept())
		round(b, client)
	})
	b.Run("link", func(b *testing.B) {
		r := newRig(b)
		client := r.connect()
		go serve(r.accept())
		round(b, client)
	})
}

// BenchmarkConnect compares making a connection through a link with making
// one without.
func BenchmarkConnect(b *testing.B) {
	for _, through := range []bool{false, true} {
		name := map[bool]string{false: "direct", true: "link"}[through]
		b.Run(name, func(b *testing.B) {
			r := newRig(b)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			go func() {
				for ctx.Err() == nil {
					connection, err := r.listener.Accept()
					if err != nil {
						return
					}
					_, _ = connection.Write([]byte{1})
					connection.Close()
				}
			}()
			address := r.listener.Addr().String()
			if through {
				address = r.link.Listen
			}
			for b.Loop() {
				connection, err := net.Dial("tcp", address)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.ReadAll(connection)
				connection.Close()
			}
		})
	}
}
