package controller

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// serve serves the controller's API over TLS.
func (w *world) serve() *httptest.Server {
	w.t.Helper()
	web := httptest.NewTLSServer(w.handler.routes())
	w.t.Cleanup(web.Close)
	return web
}

func send(t *testing.T, web *httptest.Server, method, path, token, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, web.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := web.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// problemOf is what a refusal says.
func problemOf(t *testing.T, response *http.Response) string {
	t.Helper()
	var said api.Problem
	if err := json.NewDecoder(response.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said.Error
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		method, path, token, body string
		code                      int
		says                      string
	}{
		"no token":            {"POST", "/v1/runs", "", `{}`, 401, "no token"},
		"unknown token":       {"POST", "/v1/runs", "x", `{"experiment":"calm-kill"}`, 401, "does not know the token"},
		"no right":            {"POST", "/v1/runs", outsiderToken, `{"experiment":"calm-kill"}`, 403, "outsider-token may not ask for runs; a Role in namespace emco-chaos must allow it to create runs.emco-chaos.io"},
		"suspect":             {"POST", "/v1/runs", suspectToken, `{"experiment":"calm-kill"}`, 401, "does not know the token"},
		"denied":              {"POST", "/v1/runs", deniedToken, `{"experiment":"calm-kill"}`, 403, "denied-token may not ask for runs"},
		"unchecked token":     {"POST", "/v1/runs", uncheckableToken, `{"experiment":"calm-kill"}`, 503, "the token could not be checked; the controller's log says why"},
		"unchecked right":     {"GET", "/v1/runs/r1", unreviewableToken, ``, 503, "the token could not be checked; the controller's log says why"},
		"no right to read":    {"GET", "/v1/runs/r1", outsiderToken, ``, 403, "may not ask"},
		"no JSON":             {"POST", "/v1/runs", userToken, `experiment: x`, 400, "no JSON object"},
		"nothing":             {"POST", "/v1/runs", userToken, ``, 400, "no JSON object"},
		"unknown field":       {"POST", "/v1/runs", userToken, `{"experimant":"calm-kill"}`, 400, "experimant: is not known; write experiment"},
		"wrong kind":          {"POST", "/v1/runs", userToken, `{"experiment":7}`, 400, "experiment: is a JSON number; write a string"},
		"wrong kind within":   {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill","workflow":{"name":[]}}`, 400, "workflow.name: is a JSON array; write a string"},
		"no experiment":       {"POST", "/v1/runs", userToken, `{"parameters":{}}`, 400, "experiment: is missing"},
		"two objects":         {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill"} {}`, 400, "more follows"},
		"a brace too many":    {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill"}}`, 400, "more follows"},
		"half a workflow":     {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill","workflow":{"name":"w"}}`, 400, "workflow: needs a namespace"},
		"long key":            {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill","key":"` + strings.Repeat("k", 129) + `"}`, 400, "key: is longer"},
		"too long":            {"POST", "/v1/runs", userToken, `{"experiment":"` + strings.Repeat("x", longestRequest) + `"}`, 413, "longer than 65536 bytes"},
		"unknown experiment":  {"POST", "/v1/runs", userToken, `{"experiment":"dig"}`, 404, `no experiment "dig"; ask for one of calm-kill, busy-kill`},
		"wrong parameter":     {"POST", "/v1/runs", userToken, `{"experiment":"wrong"}`, 422, "parameters.call"},
		"broken plugin":       {"POST", "/v1/runs", userToken, `{"experiment":"broken"}`, 503, "the plugin does not start"},
		"workflow elsewhere":  {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill","workflow":{"namespace":"other","name":"w"}}`, 422, "not in the controller's namespace emco-chaos"},
		"workflow of no-one":  {"POST", "/v1/runs", userToken, `{"experiment":"calm-kill","workflow":{"namespace":"emco-chaos","name":"w"}}`, 422, "there is no Workflow emco-chaos/w"},
		"unknown run":         {"GET", "/v1/runs/r99", userToken, ``, 404, `no run "r99"`},
		"run that is no name": {"GET", "/v1/runs/..%2fx", userToken, ``, 404, "no run"},
		"from nowhere":        {"GET", "/v1/runs/r1?follow=true&from=x", userToken, ``, 400, `from: "x" is no int`},
		"elsewhere":           {"GET", "/", userToken, ``, 404, "POST /v1/runs asks for a run"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			response := send(t, w.serve(), test.method, test.path, test.token, test.body)
			said := problemOf(t, response)
			if response.StatusCode != test.code || !strings.Contains(said, test.says) {
				t.Errorf("got %d %q, not %d %q", response.StatusCode, said, test.code, test.says)
			}
			if test.code == 401 && response.Header.Get("WWW-Authenticate") != "Bearer" {
				t.Error("401 does not say how to authenticate")
			}
			if len(w.queue.known) > 0 {
				t.Error("a run was taken in")
			}
			if strings.Contains(said, "10.0.0.1") {
				t.Errorf("somebody without a right is told what the API server says: %q", said)
			}
			if strings.Contains(said, userToken) {
				t.Error("the token is told")
			}
			if got := testutil.ToFloat64(w.queue.metrics.requests.WithLabelValues(fmt.Sprint(test.code))); got != 1 {
				t.Errorf("%v requests with %d are counted", got, test.code)
			}
		})
	}
}

func TestAudience(t *testing.T) {
	for audience, code := range map[string]int{"emco-chaos": 404, "other": 401} {
		w := newWorld(t, func(parts *Parts) { parts.Audiences = []string{audience} })
		if response := send(t, w.serve(), "POST", "/v1/runs", userToken, `{"experiment":"dig"}`); response.StatusCode != code {
			t.Errorf("a token for emco-chaos where one for %s is meant: %d", audience, response.StatusCode)
		}
	}
}

func TestFlood(t *testing.T) {
	w := newWorld(t)
	web := w.serve()
	limited := 0
	for range 100 {
		response := send(t, web, "POST", "/v1/runs", "x", `{}`)
		if response.StatusCode == http.StatusTooManyRequests {
			limited++
			if again := response.Header.Get("Retry-After"); again == "" || again == "0" {
				t.Errorf("come again after %q", again)
			}
		}
	}
	if limited < 50 {
		t.Errorf("%d of 100 were limited", limited)
	}
	if w.reviews != 100-limited {
		t.Errorf("%d reviews for %d requests that were looked at", w.reviews, 100-limited)
	}
}

func TestFullQueueSaysWhenToComeAgain(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.ask("calm-kill")
	}
	response := send(t, w.serve(), "POST", "/v1/runs", userToken, `{"experiment":"calm-kill"}`)
	if response.StatusCode != http.StatusTooManyRequests || response.Header.Get("Retry-After") != "15" {
		t.Errorf("got %d, again after %q", response.StatusCode, response.Header.Get("Retry-After"))
	}
}

// stream reads messages until there are no more.
func stream(t *testing.T, body io.Reader) []api.Message {
	t.Helper()
	var messages []api.Message
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var message api.Message
		if err := json.Unmarshal(lines.Bytes(), &message); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, message)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestRunOverHTTP(t *testing.T) {
	w := newWorld(t)
	defer w.manage()()
	web := w.serve()
	response := send(t, web, "POST", "/v1/runs", userToken, `{"experiment":"calm-kill","parameters":{"a":"b"}}`)
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("got %d, %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	messages := stream(t, response.Body)
	last := messages[len(messages)-1]
	if first := messages[0]; first.Kind != api.Queued || first.Run != "r1" {
		t.Errorf("the first message is %+v", first)
	}
	if last.Kind != api.Ended || last.End.Verdict != "Passed" || last.End.ExitCode != 0 || !strings.Contains(last.End.Report, "calm-kill: PASSED") {
		t.Errorf("the last message is %+v", last)
	}

	var status api.Status
	response = send(t, web, "GET", "/v1/runs/r1", userToken, "")
	if err := json.NewDecoder(response.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	if status.State != api.StateEnded || status.Experiment != "calm-kill" || status.End.Verdict != "Passed" {
		t.Errorf("the status is %+v", status)
	}
	rest := stream(t, send(t, web, "GET", fmt.Sprintf("/v1/runs/r1?follow=true&from=%d", len(messages)-2), userToken, "").Body)
	if len(rest) != 2 || rest[1].Kind != api.Ended {
		t.Errorf("the rest is %+v", rest)
	}
}

func TestRunGoesOnWithoutItsClient(t *testing.T) {
	w := newWorld(t)
	proceed := make(chan struct{})
	w.runner.during = func(ctx context.Context, _ runs.Spec) error {
		select {
		case <-proceed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	defer w.manage()()
	web := w.serve()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, "POST", web.URL+"/v1/runs", strings.NewReader(`{"experiment":"calm-kill"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+userToken)
	response, err := web.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := bufio.NewReader(response.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	again := send(t, web, "GET", "/v1/runs/r1?follow=true", userToken, "")
	close(proceed)
	messages := stream(t, again.Body)
	if last := messages[len(messages)-1]; last.End == nil || last.End.Verdict != "Passed" {
		t.Errorf("it ended %+v", last)
	}
}

func TestOnlySoManyListen(t *testing.T) {
	w := newWorld(t)
	asked := w.ask("calm-kill")
	for range streams {
		w.handler.listening <- struct{}{}
	}
	web := w.serve()
	response := send(t, web, "GET", "/v1/runs/"+asked.name+"?follow=true", userToken, "")
	if response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("got %d", response.StatusCode)
	}
}

// A former controller's run is known by its journal alone.
func TestRunOfAFormerController(t *testing.T) {
	folder := t.TempDir()
	here := func(parts *Parts) { parts.Journals = folder }
	w := newWorld(t, here)
	stop := w.manage()
	if got := end(w.ask("calm-kill")); got.Verdict != "Passed" {
		t.Fatalf("ended %+v", got)
	}
	stop()
	w.registry = prometheus.NewRegistry()
	w.start(here)
	web := w.serve()
	for _, path := range []string{"/v1/runs/r1?follow=true", "/v1/runs/r1?follow=true&from=100"} {
		messages := stream(t, send(t, web, "GET", path, userToken, "").Body)
		if len(messages) != 1 || messages[0].End == nil || messages[0].End.Verdict != "Passed" {
			t.Errorf("%s tells %+v", path, messages)
		}
	}
}

func TestStoppingControllerTakesNothingIn(t *testing.T) {
	w := newWorld(t)
	w.manage()()
	response := send(t, w.serve(), "POST", "/v1/runs", userToken, `{"experiment":"calm-kill"}`)
	if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("got %d", response.StatusCode)
	}
}

func TestLimiterTellsAddressesApart(t *testing.T) {
	l := newLimiter()
	for range 100 {
		l.admit("flood")
	}
	if l.admit("flood") == 0 {
		t.Error("the flood comes through")
	}
	if l.admit("quiet") > 0 {
		t.Error("another one is kept out by it")
	}
	// However many addresses there are, all of them together are limited.
	admitted := 0
	began := time.Now()
	for i := range 3 * addresses {
		if l.admit(fmt.Sprint(i)) == 0 {
			admitted++
		}
	}
	if most := allBurst + int(time.Since(began).Seconds()*allRate) + 1; admitted > most {
		t.Errorf("%d requests were admitted", admitted)
	}
	if l.each.Len() > addresses {
		t.Errorf("%d addresses are told apart", l.each.Len())
	}
}

// A key is its user's own: nobody gets to hear another's run by it.
func TestKeysOfTwoUsers(t *testing.T) {
	w := newWorld(t)
	defer w.manage()()
	web := w.serve()
	for _, token := range []string{userToken, otherToken} {
		messages := stream(t, send(t, web, "POST", "/v1/runs", token, `{"experiment":"calm-kill","key":"k"}`).Body)
		again := stream(t, send(t, web, "POST", "/v1/runs", token, `{"experiment":"calm-kill","key":"k"}`).Body)
		if run := messages[0].Run; run != again[0].Run {
			t.Errorf("the same key of %s is of runs %s and %s", token, run, again[0].Run)
		}
	}
	if ran := len(w.runner.ran); ran != 2 {
		t.Errorf("%d runs for two users", ran)
	}
}

// Each compilation is a process of the plugin: whoever asks for many at once
// must not take the memory that the run under way needs.
func TestOnlySoManyCompileAtOnce(t *testing.T) {
	w := newWorld(t)
	held := &compilingAtOnce{scripted: w.runner, seen: make(chan int, 8), proceed: make(chan struct{})}
	w.handler.Runner = held
	web := w.serve()
	codes := make(chan int, 8)
	for range 8 {
		go func() { codes <- send(t, web, "POST", "/v1/runs", userToken, `{"experiment":"dig"}`).StatusCode }()
	}
	for range compilations {
		<-held.seen
	}
	close(held.proceed)
	for range 8 {
		if code := <-codes; code != http.StatusNotFound {
			t.Errorf("got %d", code)
		}
	}
	if most := held.most.Load(); most > compilations {
		t.Errorf("%d at once", most)
	}
}

// compilingAtOnce counts how many compile at once.
type compilingAtOnce struct {
	*scripted
	now, most atomic.Int32
	seen      chan int
	proceed   chan struct{}
}

func (c *compilingAtOnce) Compile(ctx context.Context, request api.Request) (*plan.Plan, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	c.seen <- int(now)
	select {
	case <-c.proceed:
	case <-ctx.Done():
	}
	return c.scripted.Compile(ctx, request)
}

// Whoever waits too long for a place is told to come again.
func TestCompilationThatHasNoPlace(t *testing.T) {
	w := newWorld(t)
	for range compilations {
		w.handler.compiling <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.handler.add(ctx, api.Request{Experiment: "calm-kill"}, ""); !errors.Is(err, errBusy) {
		t.Errorf("the error is %v", err)
	}
}
