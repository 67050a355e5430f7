package rsync

import (
	"context"
	"net"
)

// breaking is a listener whose connections break when a context ends. A gRPC server that stops waits minutes for a
// connection on which nothing was said.
type breaking struct {
	net.Listener
	ctx context.Context
}

func (b breaking) Accept() (net.Conn, error) {
	connection, err := b.Listener.Accept()
	if err == nil {
		context.AfterFunc(b.ctx, func() { _ = connection.Close() })
	}
	return connection, err
}
