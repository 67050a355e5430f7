package api

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// againAfter is when to ask again after a connection was lost, or when the
	// controller asks for patience and does not say for how long.
	againAfter = time.Second
	// longestProblem bounds what is read of an answer that is none.
	longestProblem = 64 << 10
	// patience is how long a controller may be out of reach: it takes less to
	// start again.
	patience = 2 * time.Minute
	// silence is how long a controller that is there says nothing at most:
	// it sends an empty line every 15 s.
	silence = 60 * time.Second
)

// Client asks a controller for runs.
type Client struct {
	// Server is the controller's URL.
	Server *url.URL
	HTTP   *http.Client
	// Token returns the bearer token. It is asked for each time: tokens expire.
	Token func() (string, error)
	// Note receives why the client waits or asks again; may be nil.
	Note func(string)
}

// StatusError says that the controller did not grant a request.
type StatusError struct {
	Code int
	// Text is what the controller says.
	Text string
	// again is when the controller wants to be asked again.
	again time.Duration
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the controller says %d: %s", e.Code, e.Text)
}

// Run asks for a run and returns how it ended. Each message goes to show, once.
// A controller that is busy is asked again until ctx ends, and one that is out
// of reach or restarting for two minutes. Request.Key should be set, so that
// asking again is no other run.
func (c *Client) Run(ctx context.Context, request Request, show func(Message)) (End, error) {
	follower := &follower{client: c, request: request, show: show, heard: time.Now()}
	for {
		end, err := follower.listen(ctx)
		if err == nil {
			return end, nil
		}
		again, worth := retry(err)
		if !worth || ctx.Err() != nil || time.Since(follower.heard) > patience {
			return End{}, err
		}
		if c.Note != nil {
			c.Note(fmt.Sprintf("%v; asking again in %v", err, again))
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return End{}, fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// Ask asks for a run and returns its name once it has been taken in, without
// waiting for what comes of it.
func (c *Client) Ask(ctx context.Context, request Request) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	name := ""
	taken := errors.New("the run has been taken in")
	_, err := c.Run(ctx, request, func(message Message) {
		if name == "" {
			name = message.Run
			cancel(taken)
		}
	})
	if name != "" {
		return name, nil
	}
	return "", err
}

// retry returns when to ask again, and whether that may help.
func retry(err error) (again time.Duration, worth bool) {
	status, ok := errors.AsType[*StatusError](err)
	if !ok {
		return againAfter, !errors.As(err, new(*localError)) && !errors.As(err, new(*tls.CertificateVerificationError))
	}
	switch status.Code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		worth = true
	}
	return cmp.Or(status.again, againAfter), worth
}

// localError is a mistake on this side, which asking again does not mend.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// follower follows one run over as many connections as it takes.
type follower struct {
	client  *Client
	request Request
	show    func(Message)
	// run is the run's name, once it is known, and seen how many of its
	// messages have been shown.
	run  string
	seen int
	// heard is when the controller last said anything.
	heard time.Time
}

// listen asks for the run, or for the rest of what it tells, and returns its
// end.
func (f *follower) listen(ctx context.Context) (end End, err error) {
	// A controller that has gone without a word is noticed by its silence.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	quiet := time.AfterFunc(silence, func() {
		cancel(fmt.Errorf("nothing was heard from the controller for %v", silence))
	})
	defer quiet.Stop()
	defer func() {
		// Why ctx ended says more than the request that ended with it.
		if cause := context.Cause(ctx); cause != nil && (errors.Is(err, context.Canceled) || errors.Is(err, cause)) {
			err = cause
		}
	}()
	response, err := f.ask(ctx)
	if err != nil {
		return End{}, err
	}
	defer response.Body.Close()
	in := json.NewDecoder(readFunc(func(data []byte) (int, error) {
		n, err := response.Body.Read(data)
		quiet.Reset(silence)
		f.heard = time.Now()
		return n, err
	}))
	for {
		var message Message
		switch err := in.Decode(&message); {
		case errors.As(err, new(*json.SyntaxError)), errors.As(err, new(*json.UnmarshalTypeError)):
			return End{}, &localError{fmt.Errorf("understand the controller: %w; is emco-chaos here of the same version?", err)}
		case err != nil:
			return End{}, fmt.Errorf("the connection to the controller was lost: %w", err)
		}
		f.run = message.Run
		f.seen++
		f.show(message)
		if message.End != nil {
			return *message.End, nil
		}
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(data []byte) (int, error) { return f(data) }

// ask asks for the run, or, when it has a name already, for the rest of its
// messages.
func (f *follower) ask(ctx context.Context) (*http.Response, error) {
	method, where := http.MethodPost, f.client.Server.JoinPath("v1", "runs")
	body, err := json.Marshal(f.request)
	if err != nil {
		return nil, &localError{fmt.Errorf("write the request: %w", err)}
	}
	if f.run != "" {
		method, where, body = http.MethodGet, where.JoinPath(f.run), nil
		where.RawQuery = url.Values{"follow": {"true"}, "from": {strconv.Itoa(f.seen)}}.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, method, where.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &localError{fmt.Errorf("ask the controller: %w", err)}
	}
	token, err := f.client.Token()
	if err != nil {
		return nil, &localError{err}
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := f.client.HTTP.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the controller: %w", err)
	}
	f.heard = time.Now()
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, problem(response)
	}
	return response, nil
}

func problem(response *http.Response) error {
	status := &StatusError{Code: response.StatusCode, Text: http.StatusText(response.StatusCode)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		status.again = time.Duration(seconds) * time.Second
	}
	var said Problem
	if json.NewDecoder(io.LimitReader(response.Body, longestProblem)).Decode(&said) == nil && said.Error != "" {
		status.Text = strings.TrimSpace(said.Error)
	}
	return status
}
