package docstore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// DefaultTimeout is how long MongoDB's driver looks for a server before it gives up: its server selection timeout.
const DefaultTimeout = 30 * time.Second

// redialAfter is the pause between two attempts to reach the server.
const redialAfter = 50 * time.Millisecond

// Client asks a Server. Like MongoDB's driver it keeps connections, waits without limit for an answer on one that
// lives, asks once more when one broke, and gives up when no server is found within its timeout.
type Client struct {
	address string
	timeout time.Duration

	mu     sync.Mutex
	idle   []*link
	opened int
	closed bool
}

// NewClient returns a client of the server at address. It does not connect before it is asked something. A timeout of
// 0 means DefaultTimeout.
func NewClient(address string, timeout time.Duration) *Client {
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &Client{address: address, timeout: timeout}
}

// Close closes the connections that wait for work.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, each := range c.idle {
		_ = each.Close()
	}
	c.idle = nil
}

// Find decodes the value under key and tag into value. It returns ErrNotFound if there is none.
func (c *Client) Find(ctx context.Context, key, tag string, value any) error {
	entries, err := c.ask(ctx, request{Op: opFind, Key: key, Tag: tag})
	if err != nil {
		return err
	}
	if len(entries) != 1 {
		return fmt.Errorf("document %s: %d values in place of one", key, len(entries))
	}
	if err := json.Unmarshal(entries[0].Value, value); err != nil {
		return fmt.Errorf("document %s: %w", key, err)
	}
	return nil
}

// List returns, oldest first, what all documents whose key is prefix plus depth segments have under tag.
func (c *Client) List(ctx context.Context, prefix string, depth int, tag string) ([]Entry, error) {
	return c.ask(ctx, request{Op: opList, Key: prefix, Depth: depth, Tag: tag})
}

// Insert writes value under key and tag, over what is there. It returns ErrParentMissing if parent is named and not
// there.
func (c *Client) Insert(ctx context.Context, key, parent, tag string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("document %s: %w", key, err)
	}
	_, err = c.ask(ctx, request{Op: opInsert, Key: key, Parent: parent, Tag: tag, Value: raw})
	return err
}

// Remove removes the document under key. It returns ErrNotFound if there is none, ErrHasChildren if there are
// documents below it.
func (c *Client) Remove(ctx context.Context, key string) error {
	_, err := c.ask(ctx, request{Op: opRemove, Key: key})
	return err
}

func (c *Client) ask(ctx context.Context, ask request) ([]Entry, error) {
	var broken error
	for {
		server, err := c.link(ctx)
		if err != nil {
			if broken != nil {
				return nil, broken
			}
			return nil, err
		}
		answer, err := server.converse(ctx, ask)
		if err == nil {
			c.keep(server)
			return answer.Entries, answer.err()
		}
		_ = server.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if broken != nil {
			return nil, broken
		}
		broken = err
		c.forget()
	}
}

// forget drops all idle connections: when one broke, the others lead to the same dead server.
func (c *Client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, each := range c.idle {
		_ = each.Close()
	}
	c.idle = nil
}

func (c *Client) keep(server *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = server.Close()
		return
	}
	c.idle = append(c.idle, server)
}

// link returns an idle connection, or a new one within the timeout.
func (c *Client) link(ctx context.Context) (*link, error) {
	c.mu.Lock()
	if last := len(c.idle) - 1; last >= 0 {
		server := c.idle[last]
		c.idle = c.idle[:last]
		c.mu.Unlock()
		return server, nil
	}
	c.opened++
	number := c.opened
	c.mu.Unlock()

	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var dialer net.Dialer
	for {
		connection, err := dialer.DialContext(limited, "tcp", c.address)
		if err == nil {
			return &link{
				Conn:    connection,
				name:    fmt.Sprintf("connection(%s[-%d])", c.address, number),
				replies: json.NewDecoder(bufio.NewReader(connection)),
			}, nil
		}
		select {
		case <-limited.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("server selection error: server selection timeout, current topology: "+
				"{ Type: Unknown, Servers: [{ Addr: %s, Type: Unknown, Last error: %w }, ] }", c.address, err)
		case <-time.After(redialAfter):
		}
	}
}

// link is one connection to the server; it carries one question at a time.
type link struct {
	net.Conn
	name    string
	replies *json.Decoder
}

func (l *link) converse(ctx context.Context, ask request) (reply, error) {
	closeAtEnd := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer closeAtEnd()
	if err := json.NewEncoder(l.Conn).Encode(ask); err != nil {
		return reply{}, fmt.Errorf("%s unable to write wire message to network: %w", l.name, err)
	}
	var answer reply
	if err := l.replies.Decode(&answer); err != nil {
		return reply{}, fmt.Errorf("%s incomplete read of message header: %w", l.name, err)
	}
	if !closeAtEnd() {
		return reply{}, errors.Join(ctx.Err(), net.ErrClosed)
	}
	return answer, nil
}
