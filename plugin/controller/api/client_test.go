package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
)

// controller is one that answers each request as the next of a list says.
type controller struct {
	mu       sync.Mutex
	answers  []func(http.ResponseWriter)
	requests []string
}

func (c *controller) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var asked api.Request
	if request.Method == http.MethodPost {
		if err := json.NewDecoder(request.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	c.mu.Lock()
	c.requests = append(c.requests, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", request.Method, request.URL.RequestURI(), asked.Key, request.Header.Get("Authorization"))))
	answer := c.answers[0]
	if len(c.answers) > 1 {
		c.answers = c.answers[1:]
	}
	c.mu.Unlock()
	answer(w)
}

// tells answers with messages, and then ends or breaks the connection.
func tells(breaks bool, messages ...api.Message) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		out := json.NewEncoder(w)
		for _, message := range messages {
			message.Run = "r1"
			if err := out.Encode(message); err != nil {
				panic(err)
			}
			fmt.Fprintln(w)
		}
		if breaks {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
}

func refuses(code int, again, text string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if again != "" {
			w.Header().Set("Retry-After", again)
		}
		w.WriteHeader(code)
		if text != "" {
			fmt.Fprintf(w, `{"error":%q}`, text)
		}
	}
}

func line(text string) api.Message { return api.Message{Kind: api.Line, Text: text} }

func ended(verdict string, code int) api.Message {
	return api.Message{Kind: api.Ended, End: &api.End{Verdict: verdict, ExitCode: code}}
}

func start(t *testing.T, answers ...func(http.ResponseWriter)) (*controller, *api.Client) {
	t.Helper()
	c := &controller{answers: answers}
	web := httptest.NewServer(c)
	t.Cleanup(web.Close)
	where, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	return c, &api.Client{Server: where, HTTP: web.Client(), Token: func() (string, error) { return "secret", nil }}
}

func TestRun(t *testing.T) {
	const post, follow = "POST /v1/runs k Bearer secret", "GET /v1/runs/r1?follow=true&from=%d  Bearer secret"
	for name, test := range map[string]struct {
		answers  []func(http.ResponseWriter)
		shown    []string
		verdict  string
		requests []string
	}{
		"at once": {
			answers:  []func(http.ResponseWriter){tells(false, line("a"), line("b"), ended("Passed", 0))},
			shown:    []string{"a", "b", ""},
			verdict:  "Passed",
			requests: []string{post},
		},
		"the connection is lost": {
			answers: []func(http.ResponseWriter){
				tells(true, line("a"), line("b")),
				refuses(http.StatusBadGateway, "", ""),
				tells(true),
				tells(false, line("c"), ended("Failed", 1)),
			},
			shown:    []string{"a", "b", "c", ""},
			verdict:  "Failed",
			requests: []string{post, fmt.Sprintf(follow, 2), fmt.Sprintf(follow, 2), fmt.Sprintf(follow, 2)},
		},
		"the answer is lost": {
			answers:  []func(http.ResponseWriter){tells(true), tells(false, line("a"), ended("Passed", 0))},
			shown:    []string{"a", ""},
			verdict:  "Passed",
			requests: []string{post, post},
		},
		"busy": {
			answers: []func(http.ResponseWriter){
				refuses(http.StatusTooManyRequests, "1", "too many runs wait already"),
				tells(false, ended("Inconclusive", 3)),
			},
			shown:    []string{""},
			verdict:  "Inconclusive",
			requests: []string{post, post},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, client := start(t, test.answers...)
			var shown []string
			end, err := client.Run(t.Context(), api.Request{Experiment: "x", Key: "k"}, func(message api.Message) { shown = append(shown, message.Text) })
			if err != nil {
				t.Fatal(err)
			}
			if end.Verdict != test.verdict || !slices.Equal(shown, test.shown) {
				t.Errorf("ended %+v, shown %q", end, shown)
			}
			if !slices.Equal(c.requests, test.requests) {
				t.Errorf("asked\n%s", strings.Join(c.requests, "\n"))
			}
		})
	}
}

func TestRefusedIsNotAskedAgain(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 413, 422} {
		c, client := start(t, refuses(code, "", "because"))
		_, err := client.Run(t.Context(), api.Request{}, func(api.Message) {})
		status, ok := errors.AsType[*api.StatusError](err)
		if !ok || status.Code != code || err.Error() != fmt.Sprintf("the controller says %d: because", code) || len(c.requests) != 1 {
			t.Errorf("%d: %v after %d requests", code, err, len(c.requests))
		}
	}
}

func TestPatienceEnds(t *testing.T) {
	_, client := start(t, refuses(http.StatusTooManyRequests, "30", "too many"))
	var notes []string
	client.Note = func(text string) { notes = append(notes, text) }
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("no longer than that"))
	defer cancel()
	_, err := client.Run(ctx, api.Request{}, func(api.Message) {})
	if err == nil || !strings.Contains(err.Error(), "no longer than that") || !strings.Contains(err.Error(), "too many") {
		t.Errorf("the error is %v", err)
	}
	if want := []string{"the controller says 429: too many; asking again in 30s"}; !slices.Equal(notes, want) {
		t.Errorf("noted %q", notes)
	}
}

// Whoever listens when the patience ends is told that, and not of a connection.
func TestPatienceEndsInTheMiddle(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	_, client := start(t, func(w http.ResponseWriter) {
		tells(false, line("a"))(w)
		w.(http.Flusher).Flush()
		<-held
	})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("no longer than that"))
	defer cancel()
	if _, err := client.Run(ctx, api.Request{}, func(api.Message) {}); err == nil || err.Error() != "no longer than that" {
		t.Errorf("the error is %v", err)
	}
}

func TestAskDoesNotWait(t *testing.T) {
	held := make(chan struct{})
	defer close(held)
	_, client := start(t, func(w http.ResponseWriter) {
		tells(false, api.Message{Kind: api.Queued})(w)
		w.(http.Flusher).Flush()
		<-held
	})
	name, err := client.Ask(t.Context(), api.Request{})
	if err != nil || name != "r1" {
		t.Errorf("got %q, %v", name, err)
	}
}

func TestNoToken(t *testing.T) {
	c, client := start(t, refuses(500, "", ""))
	client.Token = func() (string, error) { return "", errors.New("no token file") }
	if _, err := client.Run(t.Context(), api.Request{}, func(api.Message) {}); err == nil || err.Error() != "no token file" || len(c.requests) > 0 {
		t.Errorf("the error is %v after %d requests", err, len(c.requests))
	}
}

func TestNotAController(t *testing.T) {
	_, client := start(t, func(w http.ResponseWriter) { fmt.Fprintln(w, "<html>") })
	if _, err := client.Run(t.Context(), api.Request{}, func(api.Message) {}); err == nil || !strings.Contains(err.Error(), "understand the controller") {
		t.Errorf("the error is %v", err)
	}
}

func TestWrongCertificateIsNotAskedAgain(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	// That the client turns away is what is meant.
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	where, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := &api.Client{Server: where, HTTP: http.DefaultClient, Token: func() (string, error) { return "secret", nil }}
	if _, err := client.Run(t.Context(), api.Request{}, func(api.Message) {}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("the error is %v", err)
	}
}

func TestPatienceWithAControllerThatIsNotThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		client := &api.Client{
			Server: &url.URL{Scheme: "http", Host: "nowhere"},
			HTTP: &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
				tries++
				return nil, errors.New("connection refused")
			})},
			Token: func() (string, error) { return "secret", nil },
		}
		began := time.Now()
		_, err := client.Run(t.Context(), api.Request{}, func(api.Message) {})
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("the error is %v", err)
		}
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute || tries < 100 {
			t.Errorf("gave up after %v and %d tries", took, tries)
		}
	})
}

// transport answers requests without a network.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(request *http.Request) (*http.Response, error) { return t(request) }
