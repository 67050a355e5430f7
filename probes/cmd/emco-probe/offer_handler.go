package main

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
)

// handler answers for the offers. Nothing of a request but its path's last
// piece is looked at, and that only to find an offer.
type handler struct {
	offers []offer
	limit  time.Duration
	places chan struct{} // one for each probe that may run
}

func newHandler(offers []offer, limit time.Duration, concurrency int) http.Handler {
	h := &handler{offers: offers, limit: limit, places: make(chan struct{}, concurrency)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /probes", takingNothing(func(w http.ResponseWriter, _ *http.Request) { respond(w, http.StatusOK, h.offers) }))
	mux.HandleFunc("GET /probes/{name}", takingNothing(h.ask))
	return mux
}

// takingNothing refuses a request with a query or a body: a caller chooses
// among the offers, and tells the server nothing else.
func takingNothing(answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "" && r.ContentLength == 0 {
			answer(w, r)
			return
		}
		refuse(w, http.StatusBadRequest, "", "a probe takes nothing from its caller: leave out the query and the body")
	}
}

func (h *handler) ask(w http.ResponseWriter, r *http.Request) {
	at := slices.IndexFunc(h.offers, func(o offer) bool { return o.Name == r.PathValue("name") })
	if at < 0 {
		refuse(w, http.StatusNotFound, "", "no such probe is offered; GET /probes lists them")
		return
	}
	one := h.offers[at]
	select {
	case h.places <- struct{}{}:
		defer func() { <-h.places }()
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, one.Kind, "too many probes run at once")
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
	respond(w, code, newAnswer(one.Kind, result, began))
}

// refuse answers a request for which no probe is run.
func refuse(w http.ResponseWriter, code int, kind, message string) {
	respond(w, code, answer{Probe: kind, Conclusion: probes.Errored, Message: message})
}

func respond(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // who asked may be gone
}

// silent drops what a probe observes.
type silent struct{}

func (silent) Event(string, time.Time, map[string]string) {}
func (silent) Note(time.Time, string)                     {}
func (silent) Resource(probes.Resource)                   {}
