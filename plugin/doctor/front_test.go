package doctor

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

type ingress = target.Ingress

// What stands in front of EMCO is seen, and EMCO itself is not taken for it.
func TestFront(t *testing.T) {
	emco := http.NewServeMux()
	emco.HandleFunc("POST /v2/projects", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(emco)
	t.Cleanup(server.Close)
	upstream, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := func(change func(*http.Response) error) http.Handler {
		return &httputil.ReverseProxy{
			Rewrite:        func(request *httputil.ProxyRequest) { request.SetURL(upstream) },
			ModifyResponse: change,
			ErrorLog:       nil,
		}
	}
	header := func(name, value string) func(*http.Response) error {
		return func(response *http.Response) error { response.Header.Set(name, value); return nil }
	}
	for name, test := range map[string]struct {
		handler http.Handler
		says    string
	}{
		"EMCO itself":      {emco, ""},
		"a silent proxy":   {proxy(nil), "502 Bad Gateway"},
		"one with a name":  {proxy(header("Server", "envoy")), "Server: envoy"},
		"one that repeats": {proxy(header("X-Envoy-Attempt-Count", "3")), "X-Envoy-Attempt-Count: 3"},
		"a router of its own": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "default backend - 404")
		}), "404 Not Found \"default backend - 404\" where EMCO says"},
		"a gate": {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }), "401 Unauthorized"},
	} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(test.handler)
			defer front.Close()
			got, err := Front(t.Context(), front.URL)
			if err != nil || !strings.Contains(got, test.says) || test.says == "" && got != "" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	front := httptest.NewServer(proxy(header("Server", "envoy")))
	defer front.Close()
	target := &target.Target{Services: map[string]target.Service{"dcm": {URL: server.URL}, "orchestrator": {URL: front.URL}, "etcd": {}}}
	var told []string
	Fronts(t.Context(), target, func(text string) { told = append(told, text) })
	if len(told) != 1 || !strings.HasPrefix(told[0], "orchestrator: something answers in front of it at "+front.URL+" (502 Bad Gateway") {
		t.Errorf("told %q", told)
	}
	repeats := httptest.NewServer(proxy(header("X-Envoy-Attempt-Count", "2")))
	defer repeats.Close()
	target.Ingress, told = &ingress{URL: repeats.URL}, nil
	if Fronts(t.Context(), target, func(text string) { told = append(told, text) }); len(told) != 1 || !strings.HasPrefix(told[0], "ingress: something answers in front of it at "+repeats.URL) || !strings.Contains(told[0], ", and repeats requests by itself;") {
		t.Errorf("of an ingress that repeats requests: told %q", told)
	}
	target.Ingress, told = &ingress{URL: front.URL}, nil
	if Fronts(t.Context(), target, func(text string) { told = append(told, text) }); len(told) > 0 {
		t.Errorf("of an ingress that is named as such: told %q", told)
	}
	server.Close()
	if _, err := Front(t.Context(), server.URL); err == nil {
		t.Error("nothing answers, and that is no error")
	}
}

// An ingress that tells that it repeats requests is warned of; another is not.
func TestIngressThatRepeats(t *testing.T) {
	for signs, want := range map[string]Finding{
		"X-Envoy-Attempt-Count: 3": {Check: "front", State: Warn, Subject: "dcm", Remedy: noRepeats, Message: "behind the target's ingress (X-Envoy-Attempt-Count: 3), which repeats requests by itself: no call in flight is seen to be lost"},
		"X-Envoy-Attempt-Count: 1": {Check: "front", State: OK, Subject: "dcm", Message: "behind the target's ingress (X-Envoy-Attempt-Count: 1), whose 502, 503 and 504 to a call in flight count as its lost connection; it may repeat requests by itself, which --outage shows: EMCO answers whatever does no harm"},
	} {
		var found []Finding
		e := &examination{
			Options: Options{
				Target: &target.Target{Ingress: &ingress{URL: "http://ingress.example"}, Services: map[string]target.Service{"dcm": {Labels: map[string]string{"app": "dcm"}}}},
				Front:  func(context.Context, string) (string, error) { return signs, nil },
				Limit:  time.Minute,
			},
			check: "front", failed: map[string]bool{}, notify: func(finding Finding) { found = append(found, finding) },
		}
		if checkFront(t.Context(), e, "dcm"); !reflect.DeepEqual(found, []Finding{want}) {
			t.Errorf("%s: %+v", signs, found)
		}
	}
}
