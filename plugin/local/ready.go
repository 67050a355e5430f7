package local

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// askEvery is the period of the readiness check: a process does not announce
	// that it answers.
	askEvery = 10 * time.Millisecond
	askLimit = time.Second
)

func (r Ready) String() string {
	return cmp.Or(r.HTTP, r.TCP, "nothing")
}

// address is where is asked, as host:port.
func (r Ready) address() string {
	if asked, err := url.Parse(r.HTTP); r.HTTP != "" && err == nil {
		return asked.Host
	}
	return r.TCP
}

// await asks until there is an answer, or until there is none. Nothing to ask is
// the answer that is awaited.
func (r Ready) await(ctx context.Context, answer bool) error {
	question := ctx
	if !answer { // a question that is cut short has none
		question = context.WithoutCancel(ctx)
	}
	return wait.PollUntilContextCancel(ctx, askEvery, true, func(context.Context) (bool, error) {
		return r == Ready{} || r.answers(question) == answer, ctx.Err()
	})
}

func (r Ready) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if r.HTTP == "" {
		var dialer net.Dialer
		connection, err := dialer.DialContext(ctx, "tcp", r.TCP)
		if err != nil {
			return false
		}
		defer connection.Close()
		return !toItself(connection)
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

// toItself reports whether the kernel connected a socket to itself: it happened
// to choose the very port that is dialled, where nobody listens.
func toItself(connection net.Conn) bool {
	return connection.LocalAddr().String() == connection.RemoteAddr().String()
}
