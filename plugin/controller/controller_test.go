package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// apiServer serves Leases, no Runs and no Schedules, and hangs on watches.
func apiServer(t *testing.T) *rest.Config {
	t.Helper()
	kinds := map[string]metav1.APIResource{
		"coordination.k8s.io/v1":  {Name: "leases", Kind: "Lease", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
		"chaos-mesh.org/v1alpha1": {Name: "schedules", Kind: "Schedule", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
		"emco-chaos.io/v1alpha1":  {Name: "runs", Kind: "Run", Namespaced: true, Verbs: metav1.Verbs{"get", "list", "watch"}},
	}
	answer := func(w http.ResponseWriter, code int, what any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		if err := json.NewEncoder(w).Encode(what); err != nil {
			t.Error(err)
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, metav1.APIVersions{}) })
	mux.HandleFunc("GET /apis", func(w http.ResponseWriter, _ *http.Request) {
		var groups metav1.APIGroupList
		for name := range kinds {
			group, version, _ := strings.Cut(name, "/")
			served := metav1.GroupVersionForDiscovery{GroupVersion: name, Version: version}
			groups.Groups = append(groups.Groups, metav1.APIGroup{Name: group, Versions: []metav1.GroupVersionForDiscovery{served}, PreferredVersion: served})
		}
		answer(w, http.StatusOK, groups)
	})
	for version, kind := range kinds {
		mux.HandleFunc("GET /apis/"+version, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, http.StatusOK, metav1.APIResourceList{GroupVersion: version, APIResources: []metav1.APIResource{kind}})
		})
		mux.HandleFunc("GET /apis/"+version+"/namespaces/{namespace}/"+kind.Name, func(w http.ResponseWriter, request *http.Request) {
			if request.URL.Query().Get("watch") == "true" {
				// So ends the list that a watch may begin with.
				end := map[string]any{"resourceVersion": "1", "annotations": map[string]any{metav1.InitialEventsAnnotationKey: "true"}}
				answer(w, http.StatusOK, map[string]any{"type": "BOOKMARK", "object": map[string]any{"apiVersion": version, "kind": kind.Kind, "metadata": end}})
				w.(http.Flusher).Flush()
				<-request.Context().Done()
				return
			}
			answer(w, http.StatusOK, map[string]any{"apiVersion": version, "kind": kind.Kind + "List", "metadata": map[string]any{"resourceVersion": "1"}, "items": []any{}})
		})
	}
	// The target's Lease, and that by which the leader is chosen.
	held := map[string]*coordinationv1.Lease{}
	var mu sync.Mutex
	const leases = "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
	mux.HandleFunc(leases+"/{name}", func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := request.PathValue("namespace") + "/" + request.PathValue("name")
		one := held[name]
		switch {
		case one == nil:
			answer(w, http.StatusNotFound, metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound})
			return
		case request.Method == http.MethodPut:
			if err := json.NewDecoder(request.Body).Decode(one); err != nil {
				t.Error(err)
			}
		case request.Method == http.MethodDelete:
			delete(held, name)
		}
		answer(w, http.StatusOK, one)
	})
	mux.HandleFunc("POST "+leases, func(w http.ResponseWriter, request *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		one := &coordinationv1.Lease{}
		if err := json.NewDecoder(request.Body).Decode(one); err != nil {
			t.Error(err)
		}
		one.UID, one.ResourceVersion = "uid", "2"
		held[request.PathValue("namespace")+"/"+one.Name] = one
		answer(w, http.StatusCreated, one)
	})
	mux.HandleFunc("POST /api/v1/namespaces/{namespace}/events", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusCreated, corev1.Event{}) })
	mux.HandleFunc("POST /apis/events.k8s.io/v1/namespaces/{namespace}/events", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusCreated, eventsv1.Event{})
	})
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return &rest.Config{Host: web.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// A controller looks for what dead runs left, is ready then, and stops when it
// is told to.
func TestRun(t *testing.T) {
	runner := &scripted{}
	health, metrics := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, apiServer(t), Parts{
			Runner: runner, Namespace: home, Targets: []string{target}, Holder: "controller", Metrics: metrics, Health: health,
			History: 5, Registry: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
		})
	}()
	client := &http.Client{Timeout: 5 * time.Second}
	ready := func() error {
		response, err := client.Get("http://" + health + "/readyz?verbose")
		if err != nil {
			return err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("%d: %s", response.StatusCode, strings.TrimSpace(string(text)))
		}
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for err := ready(); err != nil; err = ready() {
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+metrics+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text")
	if page, err := client.Do(request); err != nil {
		t.Error(err)
	} else if page.Body.Close(); !strings.HasPrefix(page.Header.Get("Content-Type"), "application/openmetrics-text") {
		t.Errorf("the metrics come as %s, which has no exemplars", page.Header.Get("Content-Type"))
	}
	for len(runner.sweeps()) == 0 && time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
	}
	if swept := len(runner.sweeps()); swept != 1 {
		t.Errorf("it has looked %d times for what dead runs left", swept)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
