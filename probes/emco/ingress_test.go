package emco

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A proxy answers 502 for a service that is down and for one that dies while it works. The first refuses a call, the
// second loses it.
func TestServiceBehindProxy(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	dies := false
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.Path)
		switch {
		case dies && r.Method == http.MethodPost:
			panic(http.ErrAbortHandler)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusAccepted)
		default:
			http.NotFound(w, r)
		}
	}))
	address := service.Listener.Addr().String()
	service.Start()
	behind := &url.URL{Scheme: "http", Host: address}
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) }, Transport: &http.Transport{DisableKeepAlives: true}})
	defer proxy.Close()
	client, err := New(Config{Ingress: proxy.URL})
	if err != nil {
		t.Fatal(err)
	}
	const group = "projects/p/composite-apps/c/v1/deployment-intent-groups/d"
	call := func(request Request, want, words string) {
		t.Helper()
		answer, err := client.Watch(t.Context(), request, func(Moment) {})
		if err != nil || answer.Outcome.String() != want || !strings.Contains(answer.String(), words) || !answer.Outcome.Sent {
			t.Errorf("%s: %+v, %v, want %s", request.Method, answer.Outcome, err, want)
		}
	}
	call(Post(group+"/instantiate"), "accepted", "202")
	mu.Lock()
	dies = true
	mu.Unlock()
	call(Post(group+"/instantiate"), "connection-lost", "the ingress answered 502 Bad Gateway")
	mu.Lock()
	if asked[len(asked)-1] != "POST /v2/"+group+"/instantiate" || len(asked) != 4 {
		t.Errorf("EMCO was asked %v", asked)
	}
	mu.Unlock()
	service.Close()
	call(Post(group+"/instantiate"), "refused", "the ingress answered 502 Bad Gateway")
	call(Get("projects/p"), "refused", "the ingress answered 502 Bad Gateway")
	if answer, err := client.Do(t.Context(), Post("projects")); err != nil || answer.Outcome.Kind != ConnectionLost {
		t.Errorf("a POST that may have had its effect: %v, %v", answer, err)
	}
}
