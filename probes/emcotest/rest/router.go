package rest

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Handler answers one method of one path, or returns why it does not: a *Problem, or another error, which becomes an
// internal error.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Router routes as EMCO does: 404 with a text for a path that it does not know, 405 without one for a method.
type Router struct {
	mux     *http.ServeMux
	methods map[string]map[string]Handler
	token   string
	Refuse  func(r *http.Request) error // asked before every handler, if not nil
}

// NewRouter returns a router that knows /metrics alone. With a token, all other paths demand it as a bearer token.
func NewRouter(token string) *Router {
	started := time.Now()
	router := &Router{mux: http.NewServeMux(), methods: map[string]map[string]Handler{}, token: token}
	router.Handle(http.MethodGet, "/metrics", func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, err := fmt.Fprintf(w, "# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.\n"+
			"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n", float64(started.UnixMilli())/1000)
		return err
	})
	return router
}

// Handle adds a handler. The pattern is one of http.ServeMux, without a method.
func (ro *Router) Handle(method, pattern string, handler Handler) {
	if ro.methods[pattern] == nil {
		ro.methods[pattern] = map[string]Handler{}
		ro.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			chosen := ro.methods[pattern][r.Method]
			if chosen == nil {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			var err error
			if ro.Refuse != nil {
				err = ro.Refuse(r)
			}
			if err == nil {
				err = chosen(w, r)
			}
			if err != nil {
				Fail(w, err)
			}
		})
	}
	ro.methods[pattern][method] = handler
}

// ServeHTTP answers a request.
func (ro *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if ro.token != "" && r.URL.Path != "/metrics" && !bears(r, ro.token) {
		http.Error(w, "Jwt is missing", http.StatusUnauthorized)
		return
	}
	ro.mux.ServeHTTP(w, r)
}

func bears(r *http.Request, token string) bool {
	return subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+token)) == 1
}

// Fail answers an error.
func Fail(w http.ResponseWriter, err error) {
	var known *Problem
	if !errors.As(err, &known) {
		known = Failure(InternalError)
	}
	http.Error(w, known.Text, known.Status)
}

// JSON answers a value.
func JSON(w http.ResponseWriter, code int, value any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	return json.NewEncoder(w).Encode(value)
}
