package main

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// handler answers for the offers. Nothing of a request but its path's last
// piece is looked at, and that only to find an offer.
type handler struct {
	offers map[string]offer
	list   []offer
	limit  time.Duration
	places chan struct{} // one for each probe that may run
}

func newHandler(offers []offer, limit time.Duration, concurrency int) http.Handler {
	h := &handler{offers: map[string]offer{}, list: offers, limit: limit, places: make(chan struct{}, concurrency)}
	for _, one := range offers {
		h.offers[one.Name] = one
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /probes", func(w http.ResponseWriter, r *http.Request) {
		if !told(w, r) {
			respond(w, http.StatusOK, h.list)
		}
	})
	mux.HandleFunc("GET /probes/{name}", h.ask)
	return mux
}

// told refuses a request that wants to tell the server something.
func told(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.RawQuery == "" && r.ContentLength == 0 {
		return false
	}
	respond(w, http.StatusBadRequest, answer{Conclusion: probes.Errored,
		Message: "a probe takes nothing from its caller: leave out the query and the body"})
	return true
}

func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	if told(w, r) {
		return
	}
	one, found := h.offers[r.PathValue("name")]
	if !found {
		respond(w, http.StatusNotFound, answer{Conclusion: probes.Errored, Message: "no such probe is offered; GET /probes lists them"})
		return
	}
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		w.Header().Set("Retry-After", "1")
		respond(w, http.StatusServiceUnavailable, answer{Probe: one.Kind, Conclusion: probes.Errored, Message: "too many probes run at once"})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.limit)
	defer cancel()
	began := time.Now()
	result := one.probe.Run(ctx, one.subject, silent{})
	code := http.StatusServiceUnavailable
	if result.Conclusion == probes.Passed {
		code = http.StatusOK
	}
	respond(w, code, answer{
		Probe: one.Kind, Conclusion: result.Conclusion, Message: document.Shown(result.Message),
		Evidence: result.Evidence, Seconds: time.Since(began).Seconds(),
	})
}

func respond(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	// Who asked may be gone.
	_ = json.NewEncoder(w).Encode(body)
}

// silent sees nothing.
type silent struct{}

func (silent) Event(string, time.Time, map[string]string) {}
func (silent) Note(time.Time, string)                     {}
func (silent) Resource(probes.Resource)                   {}
