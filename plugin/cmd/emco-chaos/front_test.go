package main

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// repeater is a transport that repeats by itself what got no answer, as a mesh
// does, until the client gives up.
type repeater struct{ http.RoundTripper }

func (r repeater) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
	}
	for {
		request.Body = io.NopCloser(bytes.NewReader(body))
		response, err := r.RoundTripper.RoundTrip(request)
		if err == nil || request.Context().Err() != nil {
			return response, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-request.Context().Done():
			return nil, errors.Join(request.Context().Err(), err)
		}
	}
}

// behindRepeaters puts a reverse proxy that repeats requests in front of each of
// the target's services.
func behindRepeaters(t *testing.T, target *target.Target) {
	t.Helper()
	for name, service := range target.Services {
		if service.URL == "" {
			continue
		}
		behind, err := url.Parse(service.URL)
		if err != nil {
			t.Fatal(err)
		}
		front := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(behind) },
			Transport: repeater{&http.Transport{DisableKeepAlives: true}},
			ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		})
		t.Cleanup(front.Close)
		service.URL = front.URL
		target.Services[name] = service
	}
}

// What stands in front of EMCO is told before a run in the cluster too.
func TestRunnerTellsOfFronts(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	behindRepeaters(t, target)
	driven(t, target)
	// There is no such address: the run ends before it has begun.
	r := &runner{s, target, &rest.Config{Host: "http://%"}}
	var told []string
	_, err := r.Run(t.Context(), run.Spec{Plan: compiled(t, s, target, "service-refused")}, func(text string) { told = append(told, text) })
	if got := strings.Join(told, "\n"); err == nil || !strings.Contains(got, "orchestrator: something answers in front of it at http") {
		t.Errorf("%v, told %q", err, got)
	}
}

// TestRepeatedInFront: what repeats requests in front of EMCO and tells nobody is
// found out by the run: a call outlived the service that it was sent to, or one
// was connected while there was none.
func TestRepeatedInFront(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	behindRepeaters(t, target)
	driver := driven(t, target)
	const took = "refused: something in front of the service took a connection "
	for experiment, says := range map[string]string{
		"service-refused":                   took,
		"cluster-provider-clm-restart":      took,
		"dig-terminate-status-lost":         took,
		"dig-instantiate-in-flight":         "instantiate: something in front of the service sent the call again: it was answered (",
		"logical-cloud-terminate-in-flight": "terminate: something in front of the service sent the call again: it was answered (",
	} {
		t.Run(experiment, func(t *testing.T) {
			outcome, records := runWith(t, s, target, driver, compiled(t, s, target, experiment, "refused=5s"))
			if outcome.Verdict != verdict.Inconclusive || !strings.HasPrefix(outcome.Reason, says) || !strings.HasSuffix(outcome.Reason, "point the target at the service itself") || len(outcome.Left) > 0 {
				t.Errorf("%s: %s, left %v\n%s", outcome.Verdict, outcome.Reason, outcome.Left, records)
			}
		})
	}
}
