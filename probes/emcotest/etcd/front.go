package etcd

import (
	"io"
	"net"
	"sync"
)

// front forwards clients to the server. It is there because the server, when it stops, waits minutes for a connection
// on which nothing was said.
type front struct {
	listener net.Listener
	server   string
	pumps    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	ends   map[net.Conn]bool
}

func newFront(listener net.Listener, server string) *front {
	return &front{listener: listener, server: server, ends: map[net.Conn]bool{}}
}

// serve forwards until close.
func (f *front) serve() {
	defer f.pumps.Wait()
	for {
		client, err := f.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", f.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !f.keep(client, server) {
			return
		}
		f.pumps.Go(func() { f.pump(client, server) })
		f.pumps.Go(func() { f.pump(server, client) })
	}
}

// keep remembers two ends; it closes them if it is too late.
func (f *front) keep(client, server net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		_ = client.Close()
		_ = server.Close()
		return false
	}
	f.ends[client], f.ends[server] = true, true
	return true
}

// pump forwards until one end is gone, and ends the other.
func (f *front) pump(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	_ = to.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ends, from)
	delete(f.ends, to)
}

// close breaks all connections and refuses new ones.
func (f *front) close() {
	_ = f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for end := range f.ends {
		_ = end.Close()
	}
}
