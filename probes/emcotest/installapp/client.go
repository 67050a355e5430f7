package installapp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// ErrNoClient says that no connection was established in time.
var ErrNoClient = errors.New("InstallApp Failed - Could not get InstallAppClient: rsync")

// EMCO's limits: how long it waits for a connection that is not ready, for an install and for an uninstall.
const (
	readyTimeout     = time.Second
	installTimeout   = 600 * time.Second
	uninstallTimeout = 10 * time.Second
)

// Client calls rsync. It keeps one connection to the address that it was last told. The zero value is ready to use.
type Client struct {
	// ConnectTimeout is how long a server may take to greet; default is the gRPC library's 20 s.
	ConnectTimeout time.Duration

	mu         sync.Mutex
	address    string
	connection *grpc.ClientConn
}

// Dial begins to connect to address, unless that is where the client is connected already. It does not wait.
func (c *Client) Dial(address string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil && c.address == address {
		return nil
	}
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if c.ConnectTimeout != 0 {
		options = append(options, grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: c.ConnectTimeout}))
	}
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		return fmt.Errorf("connect to rsync at %s: %w", address, err)
	}
	connection.Connect()
	if c.connection != nil {
		_ = c.connection.Close()
	}
	c.address, c.connection = address, connection
	return nil
}

// Close closes the connection.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.connection != nil {
		_ = c.connection.Close()
		c.connection = nil
	}
}

// Install asks rsync to instantiate what the AppContext holds.
func (c *Client) Install(ctx context.Context, contextID string) error {
	return c.call(ctx, installTimeout, install, wrapperspb.String(contextID))
}

// Uninstall asks rsync to terminate what the AppContext holds.
func (c *Client) Uninstall(ctx context.Context, contextID string) error {
	return c.call(ctx, uninstallTimeout, uninstall, wrapperspb.String(contextID))
}

// Update asks rsync to put one AppContext in the place of another.
func (c *Client) Update(ctx context.Context, from, to string) error {
	return c.call(ctx, installTimeout, update, &anypb.Any{TypeUrl: from, Value: []byte(to)})
}

func (c *Client) call(ctx context.Context, timeout time.Duration, method string, what proto.Message) error {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c.mu.Lock()
	connection := c.connection
	c.mu.Unlock()
	if connection == nil || !usable(limited, connection) {
		return ErrNoClient
	}
	var done wrapperspb.BoolValue
	if err := connection.Invoke(limited, method, what, &done); err != nil {
		return &Error{err: err}
	}
	return nil
}

// usable waits a little for a connection that is not ready. One that keeps failing is used all the same, since the
// call then says why; one that hangs in its making is not.
func usable(ctx context.Context, connection *grpc.ClientConn) bool {
	limited, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	connection.ResetConnectBackoff()
	for {
		state := connection.GetState()
		if state == connectivity.Ready || state == connectivity.Idle {
			return true
		}
		if !connection.WaitForStateChange(limited, state) {
			return connection.GetState() != connectivity.Connecting
		}
	}
}

// Error is a failed call. Its text is what the gRPC library of EMCO 22.12 prints, which today's prints with more
// colons.
type Error struct{ err error }

func (e *Error) Error() string {
	failed := status.Convert(e.err)
	text := strings.Replace(failed.Message(), "Error while dialing: dial tcp", "Error while dialing dial tcp", 1)
	if strings.Contains(text, "error reading server preface") && strings.Contains(text, net.ErrClosed.Error()) {
		text = "failed to receive server preface within timeout" // the library closed the connection itself
	}
	return fmt.Sprintf("rpc error: code = %s desc = %s", failed.Code(), text)
}

// Unwrap returns the gRPC library's own error.
func (e *Error) Unwrap() error { return e.err }
