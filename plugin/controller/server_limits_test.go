package controller

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// pipes is a listener whose connections are made within the process, so that
// their limits pass as fast as a test's clock.
type pipes struct {
	made chan net.Conn
	done chan struct{}
}

func newPipes() *pipes { return &pipes{made: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p.made <- there
	return here, nil
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case one := <-p.made:
		return one, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "pipe"} }

// serveIn serves the controller's API as it is served in a cluster.
func (w *world) serveIn(listener net.Listener) (stop func()) {
	web, ended := w.server(), make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()
	return func() {
		if err := web.Close(); err != nil {
			w.t.Error(err)
		}
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			w.t.Error(err)
		}
	}
}

// A client that stops in the middle keeps its connection for so long and no
// longer, whoever it is and whatever it was told.
func TestSlowClients(t *testing.T) {
	const head = " HTTP/1.1\r\nHost: here\r\n"
	for name, test := range map[string]struct {
		sends string
		// deaf says that the client does not read its answer.
		deaf bool
	}{
		"half a header":            {sends: "POST /v1/runs HTTP/1.1\r\nHo"},
		"no token and no body":     {sends: "POST /v1/runs" + head + "Content-Length: 10\r\n\r\n"},
		"somebody without a body":  {sends: "POST /v1/runs" + head + "Authorization: Bearer " + userToken + "\r\nContent-Length: 10\r\n\r\n"},
		"a body for what has none": {sends: "GET /v1/runs/r1" + head + "Authorization: Bearer " + userToken + "\r\nContent-Length: 10\r\n\r\n"},
		"a body for nobody":        {sends: "PUT //elsewhere" + head + "Content-Length: 10\r\n\r\n"},
		"deaf":                     {sends: "GET /" + head + "\r\n", deaf: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				listener := newPipes()
				defer w.serveIn(listener)()
				connection, err := listener.dial(t.Context(), "", "")
				if err != nil {
					t.Fatal(err)
				}
				defer connection.Close()
				began := time.Now()
				if err := connection.SetDeadline(began.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(connection, test.sends); err != nil {
					t.Fatal(err)
				}
				if test.deaf {
					time.Sleep(answerLimit + time.Minute)
				}
				text, err := io.ReadAll(connection)
				if err != nil {
					t.Errorf("the connection was kept: %v", err)
				}
				if test.deaf && len(text) > 0 {
					t.Errorf("the answer was kept: %s", text)
				}
				if took := time.Since(began); !test.deaf && took > answerLimit+time.Minute {
					t.Errorf("the connection was kept for %v", took)
				}
			})
		})
	}
}

// The limits are for answers, and not for who listens to a long run.
func TestLongRunIsHeardToItsEnd(t *testing.T) {
	for _, method := range []string{"POST", "GET"} {
		t.Run(method, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.runner.during = func(ctx context.Context, _ runs.Spec) error {
					select {
					case <-time.After(20 * time.Minute):
						return nil
					case <-ctx.Done():
						return errors.New("ended")
					}
				}
				defer w.manage()()
				listener := newPipes()
				defer w.serveIn(listener)()
				transport := &http.Transport{DialContext: listener.dial}
				defer transport.CloseIdleConnections()
				path, body := "/v1/runs", `{"experiment":"calm-kill"}`
				if method == "GET" {
					path, body = "/v1/runs/"+w.ask("calm-kill").name+"?follow=true", ""
				}
				response := ask(t, transport, method, path, body)
				defer response.Body.Close()
				messages := stream(t, response.Body)
				if last := messages[len(messages)-1]; last.Kind != api.Ended || last.End.Verdict != "Passed" {
					t.Errorf("heard last %+v", last)
				}
			})
		})
	}
}

func ask(t *testing.T, transport http.RoundTripper, method, path, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://here"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+userToken)
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}
