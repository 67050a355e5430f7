package local

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// askEvery: a process cannot tell when it answers, so it is asked.
	askEvery = 10 * time.Millisecond
	askLimit = time.Second
)

// address is where a process that is ready accepts connections; empty when
// the pod has no sign of being ready.
func (r Ready) address() string {
	if r.HTTP == "" {
		return r.TCP
	}
	at, err := url.Parse(r.HTTP)
	if err != nil {
		return ""
	}
	if at.Port() == "" {
		return net.JoinHostPort(at.Hostname(), "80")
	}
	return at.Host
}

// answers asks once.
func (r Ready) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if r.HTTP == "" {
		return r.TCP == "" || accepts(ctx, r.TCP)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.HTTP, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode/100 == 2
}

// await asks until there is an answer, and says whether there was one before
// ctx ended.
func (r Ready) await(ctx context.Context) bool {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for !r.answers(ctx) {
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
	return ctx.Err() == nil
}

// accepts says whether something accepts connections at the address.
func accepts(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: askLimit}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	defer connection.Close()
	return !toItself(connection)
}

// toItself says whether a connection has no other end: the kernel connects a
// socket to itself when it happens to choose the very port that is dialled
// and nobody listens there.
func toItself(connection net.Conn) bool {
	return connection.LocalAddr().String() == connection.RemoteAddr().String()
}
