package local

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// link accepts the TCP connections of one pod and passes them on through a
// gate that can hold each direction. It refuses connections while the pod that
// it leads to does not answer, as that pod itself would.
type link struct {
	Link
	cluster *Cluster
	// to is nil when the link leads outside.
	from, to *pod
	// reservation keeps the address while nothing listens there.
	reservation *os.File

	mu sync.Mutex
	// changed is broadcast when a connection has written.
	changed     *sync.Cond
	listener    net.Listener
	connections map[*connection]struct{}
	// holders are the faults on the link, and held the directions in which
	// nothing passes.
	holders []*holder
	held    [2]bool
}

// newLink reserves the link's address.
func (c *Cluster) newLink(description Link) (*link, error) {
	reservation, err := reserve(description.Listen)
	if err != nil {
		return nil, description.unbound(err)
	}
	l := &link{
		Link: description, cluster: c, from: c.pod(description.From), to: c.pod(description.To),
		reservation: reservation, connections: map[*connection]struct{}{},
	}
	l.changed = sync.NewCond(&l.mu)
	return l, nil
}

func (l *link) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		return nil
	}
	listener, err := net.Listen("tcp", l.Listen)
	if err != nil {
		return l.unbound(err)
	}
	l.listener = listener
	l.cluster.work.Go(func() { l.accept(listener) })
	return nil
}

// refuse refuses connections from here on. Those that are there stay.
func (l *link) refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		l.listener.Close()
		l.listener = nil
	}
}

func (l *link) close() {
	l.refuse()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	l.reservation.Close()
}

func (l *link) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		switch {
		case err == nil:
			l.take(listener, client.(*net.TCPConn))
		case errors.Is(err, net.ErrClosed):
			return
		default:
			time.Sleep(askEvery) // such as too many open files
		}
	}
}

// take serves a new connection. One whose client has gone is dropped: a killed
// process may have left it, and the fault that held the link be off by now.
func (l *link) take(listener net.Listener, client *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != listener || hungUp(client, false) {
		client.Close()
		return
	}
	c := &connection{link: l, ends: [2]*net.TCPConn{client, nil}}
	l.connections[c] = struct{}{}
	l.cluster.work.Go(func() {
		c.serve()
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.connections, c)
	})
}

// hold puts a fault on the link: once it has returned nothing passes that the
// fault holds. It returns how many connections there are.
func (l *link) hold(h *holder) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders = append(l.holders, h)
	l.heed()
	for c := range l.connections {
		for c.writes() {
			l.changed.Wait()
		}
	}
	return len(l.connections)
}

// lift takes faults off the link.
func (l *link) lift(off func(*holder) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.holders = slices.DeleteFunc(l.holders, off)
	l.heed()
}

// heed has all connections heed what the link holds now.
func (l *link) heed() {
	var held [2]bool
	for _, h := range l.holders {
		for d, holds := range h.directions {
			held[d] = held[d] || holds && h.awaited == 0
		}
	}
	released := l.holds() && held == [2]bool{}
	l.held = held
	for c := range l.connections {
		c.gate(released)
	}
}

// begin counts requests that begin: with one of them a fault may begin to hold.
func (l *link) begin(requests int) {
	if requests > 0 && len(l.holders) > 0 {
		for _, h := range l.holders {
			h.awaited = max(0, h.awaited-requests)
		}
		l.heed()
	}
}

// holds reports whether a direction is held.
func (l *link) holds() bool { return l.held != [2]bool{} }

// dropHeld closes the connections of a link that is held, and returns by what.
func (l *link) dropHeld() []*holder {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.holds() {
		return nil
	}
	l.drop()
	return slices.Clone(l.holders)
}

func (l *link) drop() {
	for c := range l.connections {
		c.close(false)
	}
}

// reserve binds a socket to an address without listening: connections to it are
// refused, the kernel gives it to nobody, and Go's listeners can listen there.
func reserve(address string) (*os.File, error) {
	at, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	family := unix.AF_INET6
	var place unix.Sockaddr = &unix.SockaddrInet6{Port: at.Port, Addr: [16]byte(at.IP.To16())}
	if four := at.IP.To4(); four != nil {
		family = unix.AF_INET
		place = &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(four)}
	}
	descriptor, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(descriptor), address)
	err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(descriptor, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	if err = errors.Join(err, os.NewSyscallError("bind", unix.Bind(descriptor, place))); err != nil {
		file.Close()
	}
	return file, err
}
