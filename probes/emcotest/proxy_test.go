package emcotest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// proxy is a link that a test can hold, cut, or let hold itself when it sees a request.
type proxy struct {
	listener net.Listener
	target   string
	owner    sync.WaitGroup

	mu          sync.Mutex
	changed     *sync.Cond
	holding     bool
	trigger     []byte // a request that has it sets holdBack
	holdBack    bool   // holds what the server answers
	triggered   chan struct{}
	blocked     []string // requests that have one of these are held
	held        int      // how many wait now
	closed      bool
	connections map[net.Conn]bool
}

// freeAddress is one that can be listened on again after a while.
func freeAddress(t *testing.T) string {
	t.Helper()
	addresses, err := emcotest.OwnPorts.Claim(1)
	if err != nil {
		t.Fatal(err)
	}
	return addresses[0]
}

// newProxy forwards to target until the test ends.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, connections: map[net.Conn]bool{}}
	p.changed = sync.NewCond(&p.mu)
	p.owner.Go(func() { p.accept(listener) })
	t.Cleanup(p.close)
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// refuse makes the proxy what a host is whose service is down: connections break, new ones are refused.
func (p *proxy) refuse() {
	_ = p.listener.Close()
	p.drop()
}

// resume ends refuse.
func (p *proxy) resume(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", p.address())
	if err != nil {
		t.Fatal(err)
	}
	p.listener = listener
	p.owner.Go(func() { p.accept(listener) })
}

func (p *proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.keep(client, server) {
			return
		}
		p.owner.Go(func() { p.pump(client, server, false) })
		p.owner.Go(func() { p.pump(server, client, true) })
	}
}

// keep remembers the two ends of a connection, unless the proxy is closed.
func (p *proxy) keep(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, end := range ends {
		p.connections[end] = true
		if p.closed {
			_ = end.Close()
		}
	}
	return !p.closed
}

// pump forwards what comes from one end, when it may, until an end is gone.
func (p *proxy) pump(from, to net.Conn, back bool) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.pass(buffer[:n], back, from) {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until bytes may pass, and says whether both ends are still there.
func (p *proxy) pass(content []byte, back bool, from net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !back && p.trigger != nil && bytes.Contains(content, p.trigger) {
		p.trigger, p.holdBack = nil, true
		close(p.triggered)
	}
	p.held++
	defer func() { p.held-- }()
	for p.connections[from] && p.holds(content, back) {
		p.changed.Wait()
	}
	return p.connections[from]
}

func (p *proxy) holds(content []byte, back bool) bool {
	match := func(text string) bool { return bytes.Contains(content, []byte(text)) }
	return p.holding || back && p.holdBack || !back && slices.ContainsFunc(p.blocked, match)
}

// holdRequests holds every request with one of the texts.
func (p *proxy) holdRequests(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocked = texts
}

// waiting is how many requests and answers are held.
func (p *proxy) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// hold lets no bytes pass from now on.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding = true
}

// holdAnswersTo lets the next request with some text pass, and nothing of what is answered from then on. The channel
// is closed when that request has come.
func (p *proxy) holdAnswersTo(text string) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trigger, p.triggered = []byte(text), make(chan struct{})
	return p.triggered
}

// holdAnswers lets requests pass, and nothing of what is answered.
func (p *proxy) holdAnswers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holdBack = true
}

// release ends all holds. What is held on connections passes.
func (p *proxy) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.holding, p.holdBack, p.trigger, p.blocked = false, false, nil, nil
	p.changed.Broadcast()
}

// drop breaks all connections by a reset, and forgets what is held on them.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for each := range p.connections {
		if tcp, ok := each.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = each.Close()
	}
	p.connections = map[net.Conn]bool{}
	p.changed.Broadcast()
}

func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.drop()
	p.release()
	p.owner.Wait()
}

// connectionLost says whether an error is what a client sees whose server was killed.
func connectionLost(err error) bool {
	var network *net.OpError
	return errors.Is(err, io.EOF) || errors.As(err, &network) && network.Op == "read"
}
