package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/repeater"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

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
		front := httptest.NewServer(repeater.New(behind))
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
	r := &runner{s: s, target: target, cluster: &rest.Config{Host: "http://%"}}
	var told []string
	_, err := r.Run(t.Context(), run.Spec{Plan: compiled(t, s, target, "service-refused")}, func(text string) { told = append(told, text) })
	if got := strings.Join(told, "\n"); err == nil || !strings.Contains(got, "orchestrator: something answers in front of it at http") {
		t.Errorf("%v, told %q", err, got)
	}
}

// Before the first run each service that a run stops, and that has something in front
// of it, is taken down for a moment: what repeats requests is told, and what does not
// is no hindrance.
func TestFrontsAreTried(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	for name, test := range map[string]struct {
		behind func(*testing.T, *target.Target)
		says   string
	}{
		"a repeater":   {behindRepeaters, "orchestrator: no run will be conclusive in which it is stopped: refused: something in front of the service took a connection "},
		"an ingress":   {behindIngress, ""},
		"nothing else": {func(*testing.T, *target.Target) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := readTarget(t, emulated(t))
			test.behind(t, target)
			var told []string
			opened, plugin := opened(t, s, target, func(text string) { told = append(told, text) })
			plans := []*plan.Plan{compiled(t, s, target, "service-refused")}
			var outages run.Outages
			// Once is enough, and a service that the plugin has no probe for is no hindrance.
			for _, service := range []string{"dcm", "orchestrator", "orchestrator"} {
				if err := outages.Try(t.Context(), opened, plugin, []string{service}, plans, nil); err != nil {
					t.Error(err)
				}
			}
			const trying = "orchestrator: it is taken down for a moment, to see whether what stands in front of it repeats requests"
			if len(told) == 0 || told[0] != trying || slices.Contains(told[1:], trying) || !strings.HasPrefix(strings.Join(told[1:], "\n"), test.says) || test.says == "" && len(told) > 1 {
				t.Errorf("told %q", told)
			}
		})
	}
}

// opened is a target that is open until the test ends, and a plugin on it.
func opened(t *testing.T, s *session, on *target.Target, tell func(string)) (*run.Target, *run.Plugin) {
	t.Helper()
	opened, err := run.Open(t.Context(), on, tell)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	plugin, err := s.start(t.Context(), on)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plugin.Close() })
	return opened, plugin
}

// A service that the plugin has no probe for is left alone, and hinders no run.
func TestFrontsThatCannotBeTried(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	var told []string
	opened, plugin := opened(t, s, target, func(text string) { told = append(told, text) })
	stopped := &plan.Plan{Steps: []plan.Step{{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Summary: "pod-kill gui"}}}}
	if err := new(run.Outages).Try(t.Context(), opened, plugin, []string{"gui"}, []*plan.Plan{stopped}, nil); err != nil {
		t.Error(err)
	}
	if text := strings.Join(told, "\n"); !strings.Contains(text, "gui: it is not: it cannot be told on this target: ") {
		t.Errorf("told %q", told)
	}
}

// Before its runs the command tells of what it found.
func TestRunTriesFronts(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	behindRepeaters(t, target)
	var errs bytes.Buffer
	s.errs = &errs
	options := runOptions{output: "text", attempts: 1, journals: t.TempDir(), chosen: chosen{set: parameters{"refused": "2s"}}}
	err := s.run(t.Context(), options, []string{"service-refused"}, target)
	if exit, is := errors.AsType[*cli.Exit](err); !is || exit.Code != report.ExitInconclusive || !strings.Contains(errs.String(), "orchestrator: no run will be conclusive in which it is stopped") {
		t.Errorf("%v: %s", err, &errs)
	}
}

// behindIngress puts a reverse proxy in front of all services that are asked, which
// repeats nothing, and names it.
func behindIngress(t *testing.T, on *target.Target) {
	t.Helper()
	behind := map[string]http.Handler{}
	for name, service := range on.Services {
		if address, err := url.Parse(service.URL); err == nil && service.URL != "" {
			behind[name] = httputil.NewSingleHostReverseProxy(address)
			service.URL = ""
			on.Services[name] = service
		}
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := "orchestrator"
		switch {
		case strings.HasPrefix(r.URL.Path, "/v2/cluster-providers"):
			name = "clm"
		case strings.Contains(r.URL.Path, "/logical-clouds"):
			name = "dcm"
		}
		behind[name].ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	on.Ingress = &target.Ingress{URL: front.URL}
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

// A hold that stops nothing is told by the call that is answered all the same.
func TestHoldThatDropsNothing(t *testing.T) {
	t.Parallel()
	target := readTarget(t, emulated(t))
	opened, plugin := opened(t, newSession(t), target, func(string) {})
	lying := *opened
	lying.Driver = &liar{Driver: opened, aimed: holds}
	outcome, err := lying.Hold(t.Context(), plugin, nil)
	if err != nil || outcome.Verdict != verdict.Inconclusive || !strings.Contains(outcome.Reason, "accepted") {
		t.Errorf("%s: %s, %v", outcome.Verdict, outcome.Reason, err)
	}
}
