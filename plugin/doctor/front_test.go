package doctor

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/target"
)

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
	server.Close()
	if _, err := Front(t.Context(), server.URL); err == nil {
		t.Error("nothing answers, and that is no error")
	}
}
