package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	// longestRequest bounds a request's body.
	longestRequest = 64 << 10
	// readLimit is how long a request may take to arrive, checkLimit how long
	// the cluster may take to say whether it is allowed and the runner to
	// compile it, and writeLimit how long a client may leave an answer unread.
	readLimit  = 10 * time.Second
	checkLimit = 30 * time.Second
	writeLimit = 30 * time.Second
	// aliveEvery is how often a quiet stream gets an empty line, so that either
	// side learns when the other has gone.
	aliveEvery = 15 * time.Second
	// streams is how many clients may listen at once, and compilations how many
	// requests are compiled at once: each is a process of the plugin.
	streams      = 64
	compilations = 2
	// fullAgain is when to ask again after the queue was full.
	fullAgain = 15 * time.Second
	// longestKey bounds what a client may call a run.
	longestKey = 128
)

// handler answers requests for runs.
type handler struct {
	access    *access
	limiter   *limiter
	queue     *queue
	runner    Runner
	dashboard *dashboard
	metrics   *metrics
	log       *slog.Logger
	// listening has room for as many as may listen at once.
	listening chan struct{}
	// compiling has room for as many as may be compiled at once.
	compiling chan struct{}
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", h.guarded(h.post))
	mux.HandleFunc("GET /v1/runs/{name}", h.guarded(h.get))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		h.refuse(w, &deniedError{http.StatusNotFound, "nothing is here; POST /v1/runs asks for a run, GET /v1/runs/NAME for what came of it"})
	})
	return mux
}

// guarded has only those requests answered that come at a bearable rate and
// from someone who may ask for runs.
func (h *handler) guarded(answer func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, request *http.Request) {
		address, _, err := net.SplitHostPort(request.RemoteAddr)
		if err != nil {
			address = request.RemoteAddr
		}
		if again, ok := h.limiter.admit(address); !ok {
			h.refuseUntil(w, again, "too many requests; ask again later")
			return
		}
		token, err := bearer(request)
		if err != nil {
			h.refuse(w, err)
			return
		}
		ctx, cancel := context.WithTimeout(request.Context(), checkLimit)
		user, err := h.access.check(ctx, token)
		cancel()
		if err != nil {
			h.refuse(w, err)
			return
		}
		answer(w, request, user)
	}
}

// post takes a run in, and tells its client what happens in it.
func (h *handler) post(w http.ResponseWriter, request *http.Request, user string) {
	asked, err := decode(w, request)
	if err != nil {
		h.refuse(w, err)
		return
	}
	key := ""
	if asked.Key != "" {
		key = user + " " + asked.Key
		if known := h.queue.findKey(key); known != nil {
			h.stream(w, request, known, 0)
			return
		}
	}
	added, err := h.add(request.Context(), asked, key)
	switch {
	case errors.Is(err, errFull), errors.Is(err, errBusy):
		h.refuseUntil(w, fullAgain, err.Error())
		return
	case errors.Is(err, errStopping):
		w.Header().Set("Retry-After", strconv.Itoa(int(fullAgain.Seconds())))
		h.refuse(w, &deniedError{http.StatusServiceUnavailable, err.Error()})
		return
	case err != nil:
		h.refuse(w, err)
		return
	}
	h.log.Info("run asked for", "run", added.name, "experiment", asked.Experiment, "user", user)
	h.stream(w, request, added, 0)
}

// add compiles what is asked for and takes it in.
func (h *handler) add(ctx context.Context, asked api.Request, key string) (*run, error) {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	if err := h.queue.room(); err != nil {
		return nil, err
	}
	compiled, err := h.compile(ctx, asked)
	if err != nil {
		return nil, err
	}
	var from *origin
	if asked.Workflow != nil {
		if from, err = h.dashboard.find(ctx, *asked.Workflow); err != nil {
			return nil, err
		}
	}
	added, err := h.queue.add(compiled, key, from)
	if err != nil {
		return nil, err
	}
	if from != nil && from.schedule.Name != "" {
		// The run goes on without: the next start is what it spoils.
		if err := h.dashboard.rearm(ctx, client.ObjectKey{Namespace: from.schedule.Namespace, Name: from.schedule.Name}); err != nil {
			h.log.Error("the Schedule cannot be started again", "error", err)
			added.waiting(err.Error())
		}
	}
	return added, nil
}

// compile compiles what is asked for when it has a place.
func (h *handler) compile(ctx context.Context, asked api.Request) (*plan.Plan, error) {
	select {
	case h.compiling <- struct{}{}:
		defer func() { <-h.compiling }()
	case <-ctx.Done():
		return nil, errBusy
	}
	return h.runner.Compile(ctx, asked)
}

// decode reads a request. A mistake in it names the field.
func decode(w http.ResponseWriter, request *http.Request) (api.Request, error) {
	var asked api.Request
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(readLimit)); err != nil {
		return asked, fmt.Errorf("limit the time of a request: %w", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, longestRequest))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return asked, &deniedError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request is longer than %d bytes", longestRequest)}
	case err != nil:
		return asked, &deniedError{http.StatusBadRequest, "the request did not arrive whole: " + err.Error()}
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return asked, fmt.Errorf("limit the time of a request: %w", err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(body)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&asked); err != nil {
		return asked, badRequest(err)
	}
	switch {
	case decoder.Decode(&struct{}{}) != io.EOF:
		return asked, &deniedError{http.StatusBadRequest, "more follows the request's JSON object; send one object"}
	case asked.Experiment == "":
		return asked, &deniedError{http.StatusBadRequest, "experiment: is missing; write the experiment's name"}
	case asked.Workflow != nil && (asked.Workflow.Namespace == "" || asked.Workflow.Name == ""):
		return asked, &deniedError{http.StatusBadRequest, "workflow: needs a namespace and a name; write both or leave it out"}
	case len(asked.Key) > longestKey:
		return asked, &deniedError{http.StatusBadRequest, fmt.Sprintf("key: is longer than %d bytes", longestKey)}
	}
	return asked, nil
}

func badRequest(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		field := wrong.Field
		if field == "" {
			field = "the request"
		}
		return &deniedError{http.StatusBadRequest, fmt.Sprintf("%s: is a JSON %s; write a %s", field, wrong.Value, jsonKind(wrong.Type.Kind().String()))}
	}
	if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
		return &deniedError{http.StatusBadRequest, fmt.Sprintf("%s: is not known; write experiment, parameters, workflow or key", strings.Trim(name, `"`))}
	}
	return &deniedError{http.StatusBadRequest, "the request is no JSON object: " + err.Error()}
}

// jsonKind is what JSON calls a kind of Go's.
func jsonKind(kind string) string {
	switch kind {
	case "struct", "map", "ptr":
		return "JSON object"
	}
	return kind
}

// get tells how far a run is, or, with ?follow=true, all that happens in it.
func (h *handler) get(w http.ResponseWriter, request *http.Request, _ string) {
	name := request.PathValue("name")
	follow, err := optional(request, "follow", strconv.ParseBool)
	if err != nil {
		h.refuse(w, err)
		return
	}
	from, err := optional(request, "from", strconv.Atoi)
	if err != nil {
		h.refuse(w, err)
		return
	}
	known := h.queue.find(name)
	if known == nil {
		if known, err = h.queue.recall(name); err != nil {
			h.refuse(w, err)
			return
		}
		// Of a run of a former controller only the end is known.
		from = 0
	}
	if follow {
		h.stream(w, request, known, from)
		return
	}
	h.answer(w, http.StatusOK, known.status())
}

func optional[T any](request *http.Request, name string, parse func(string) (T, error)) (T, error) {
	var none T
	text := request.URL.Query().Get(name)
	if text == "" {
		return none, nil
	}
	value, err := parse(text)
	if err != nil {
		return none, &deniedError{http.StatusBadRequest, fmt.Sprintf("%s: %q is no %T", name, text, none)}
	}
	return value, nil
}

// stream tells what happens in a run from its n-th message on, until its end or
// until the client goes. The run is the controller's own, and goes on.
func (h *handler) stream(w http.ResponseWriter, request *http.Request, r *run, n int) {
	select {
	case h.listening <- struct{}{}:
		defer func() { <-h.listening }()
	default:
		h.refuseUntil(w, fullAgain, fmt.Sprintf("too many listen already; ask for GET /v1/runs/%s later", r.name))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	h.metrics.answered(http.StatusOK)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	// A run goes on for longer than a request may take to arrive.
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return
	}
	defer func() {
		// The connection may serve another request. If that cannot be, it ends.
		_ = control.SetWriteDeadline(time.Time{})
	}()
	out := json.NewEncoder(w)
	alive := time.NewTicker(aliveEvery)
	defer alive.Stop()
	for {
		messages, ended, changed := r.after(n)
		n += len(messages)
		if err := control.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
			return
		}
		for _, message := range messages {
			if err := out.Encode(message); err != nil {
				return
			}
		}
		if err := control.Flush(); err != nil || ended {
			return
		}
		select {
		case <-changed:
		case <-alive.C:
			if _, err := io.WriteString(w, "\n"); err != nil {
				return
			}
		case <-request.Context().Done():
			return
		}
	}
}

// refuse answers with what is wrong.
func (h *handler) refuse(w http.ResponseWriter, err error) {
	code, text := http.StatusServiceUnavailable, err.Error()
	var denied *deniedError
	var unchecked *uncheckedError
	var unknown *UnknownError
	var refused *RefusedError
	var problems document.Problems
	switch {
	case errors.As(err, &denied):
		code = denied.code
	case errors.As(err, &unknown):
		code = http.StatusNotFound
	case errors.As(err, &refused), errors.As(err, &problems):
		code = http.StatusUnprocessableEntity
	case errors.As(err, &unchecked):
		h.log.Error("a request could not be checked", "error", unchecked.cause)
	default:
		h.log.Error("a request could not be answered", "error", err)
	}
	if code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	h.answer(w, code, api.Problem{Error: text})
}

// refuseUntil answers that the client is to come again.
func (h *handler) refuseUntil(w http.ResponseWriter, again time.Duration, text string) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(again.Seconds())))))
	h.refuse(w, &deniedError{http.StatusTooManyRequests, text})
}

func (h *handler) answer(w http.ResponseWriter, code int, what any) {
	h.metrics.answered(code)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(what); err != nil {
		h.log.Info("a client went before its answer", "error", err)
	}
}
