package controller

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

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

// statusError is the answer to a request that is not granted.
type statusError struct {
	code int
	text string
	// again is when the client is to come again; 0 does not say.
	again time.Duration
	// cause is for the log alone: who asks may not have shown any right yet.
	cause error
}

func (e *statusError) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &statusError{code: http.StatusBadRequest, text: fmt.Sprintf(format, args...)}
}

var errBusy = &statusError{code: http.StatusTooManyRequests, text: "too many requests are compiled already; ask again later", again: fullAgain}

// handler answers requests for runs.
type handler struct {
	Parts
	limiter   *limiter
	queue     *queue
	dashboard *dashboard
	rearmer   *rearmer
	// listening and compiling have room for as many as may do so at once.
	listening, compiling chan struct{}
}

func (h *handler) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/runs", h.guarded(h.post))
	mux.HandleFunc("GET /v1/runs/{name}", h.guarded(h.get))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		h.refuse(w, &statusError{code: http.StatusNotFound, text: "nothing is here; POST /v1/runs asks for a run, GET /v1/runs/NAME for what came of it"})
	})
	return mux
}

// guarded has only those requests answered that come at a bearable rate and
// from someone who may ask for runs. An error of answer is the answer.
func (h *handler) guarded(answer func(w http.ResponseWriter, request *http.Request, user string) error) http.HandlerFunc {
	admit := func(request *http.Request) (user string, err error) {
		address, _, err := net.SplitHostPort(request.RemoteAddr)
		if err != nil {
			address = request.RemoteAddr
		}
		if again := h.limiter.admit(address); again > 0 {
			return "", &statusError{code: http.StatusTooManyRequests, text: "too many requests; ask again later", again: again}
		}
		ctx, cancel := context.WithTimeout(request.Context(), checkLimit)
		defer cancel()
		return h.authorize(ctx, request)
	}
	return func(w http.ResponseWriter, request *http.Request) {
		user, err := admit(request)
		if err == nil {
			err = answer(w, request, user)
		}
		if err != nil {
			h.refuse(w, err)
		}
	}
}

// post takes a run in, and tells its client what happens in it.
func (h *handler) post(w http.ResponseWriter, request *http.Request, user string) error {
	asked, err := decode(w, request)
	if err != nil {
		return err
	}
	key := ""
	if asked.Key != "" {
		key = user + " " + asked.Key
		if known := h.queue.find(func(r *run) bool { return r.key == key }); known != nil {
			return h.stream(w, request, known, 0)
		}
	}
	added, err := h.add(request.Context(), asked, key)
	if err != nil {
		return err
	}
	h.Log.Info("run asked for", "run", added.name, "experiment", asked.Experiment, "user", user)
	return h.stream(w, request, added, 0)
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
		if from, err = h.dashboard.origin(ctx, *asked.Workflow); err != nil {
			return nil, err
		}
	}
	added, err := h.queue.add(compiled, key, from)
	if err != nil {
		return nil, err
	}
	if from != nil && from.schedule.Name != "" {
		schedule := types.NamespacedName{Namespace: from.schedule.Namespace, Name: from.schedule.Name}
		// The run goes on without: the next start is what it spoils.
		if _, err := h.rearmer.Reconcile(ctx, reconcile.Request{NamespacedName: schedule}); err != nil {
			h.Log.Error("the Schedule cannot be started again", "error", err)
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
	return h.Runner.Compile(ctx, asked)
}

// decode reads a request. A mistake in it names the field.
func decode(w http.ResponseWriter, request *http.Request) (asked api.Request, err error) {
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(readLimit)); err != nil {
		return asked, fmt.Errorf("limit the time of a request: %w", err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, longestRequest))
	switch {
	case errors.As(err, new(*http.MaxBytesError)):
		return asked, &statusError{code: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the request is longer than %d bytes", longestRequest)}
	case err != nil:
		return asked, badRequest("the request did not arrive whole: %v", err)
	}
	if err := control.SetReadDeadline(time.Time{}); err != nil {
		return asked, fmt.Errorf("limit the time of a request: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&asked)
	wrong, wrongKind := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case wrongKind && wrong.Type.Kind() == reflect.String:
		return asked, badRequest("%s: is a JSON %s; write a string", wrong.Field, wrong.Value)
	case wrongKind:
		return asked, badRequest("%s: is a JSON %s; write a JSON object", cmp.Or(wrong.Field, "the request"), wrong.Value)
	case err != nil:
		if name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			return asked, badRequest("%s: is not known; write experiment, parameters, workflow or key", strings.Trim(name, `"`))
		}
		return asked, badRequest("the request is no JSON object: %v", err)
	case decoder.Decode(&struct{}{}) != io.EOF:
		return asked, badRequest("more follows the request's JSON object; send one object")
	case asked.Experiment == "":
		return asked, badRequest("experiment: is missing; write the experiment's name")
	case asked.Workflow != nil && (asked.Workflow.Namespace == "" || asked.Workflow.Name == ""):
		return asked, badRequest("workflow: needs a namespace and a name; write both or leave it out")
	case len(asked.Key) > longestKey:
		return asked, badRequest("key: is longer than %d bytes", longestKey)
	}
	return asked, nil
}

// get tells how far a run is, or, with ?follow=true, all that happens in it.
func (h *handler) get(w http.ResponseWriter, request *http.Request, _ string) error {
	name := request.PathValue("name")
	follow, err := optional(request, "follow", strconv.ParseBool)
	if err != nil {
		return err
	}
	from, err := optional(request, "from", strconv.Atoi)
	if err != nil {
		return err
	}
	known := h.queue.find(func(r *run) bool { return r.name == name })
	if known == nil {
		if known, err = h.queue.recall(name); err != nil {
			return err
		}
		// Of a run of a controller before this one only the end is known.
		from = 0
	}
	if follow {
		return h.stream(w, request, known, from)
	}
	h.answer(w, http.StatusOK, known.status())
	return nil
}

func optional[T any](request *http.Request, name string, parse func(string) (T, error)) (value T, err error) {
	text := request.URL.Query().Get(name)
	if text == "" {
		return value, nil
	}
	if value, err = parse(text); err != nil {
		return value, badRequest("%s: %q is no %T", name, text, value)
	}
	return value, nil
}

// stream tells what happens in a run from its n-th message on, until its end or
// until the client goes. The run is the controller's own, and goes on.
func (h *handler) stream(w http.ResponseWriter, request *http.Request, r *run, n int) error {
	select {
	case h.listening <- struct{}{}:
		defer func() { <-h.listening }()
	default:
		text := fmt.Sprintf("too many listen already; ask for GET /v1/runs/%s later", r.name)
		return &statusError{code: http.StatusTooManyRequests, text: text, again: fullAgain}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	h.metrics.answered(http.StatusOK)
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	// A run goes on for longer than a request may take to arrive.
	if control.SetReadDeadline(time.Time{}) != nil {
		return nil
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
		if control.SetWriteDeadline(time.Now().Add(writeLimit)) != nil {
			return nil
		}
		for _, message := range messages {
			if out.Encode(message) != nil {
				return nil
			}
		}
		if control.Flush() != nil || ended {
			return nil
		}
		select {
		case <-changed:
		case <-alive.C:
			if _, err := io.WriteString(w, "\n"); err != nil {
				return nil
			}
		case <-request.Context().Done():
			return nil
		}
	}
}

// refuse answers with what is wrong.
func (h *handler) refuse(w http.ResponseWriter, err error) {
	said, ok := errors.AsType[*statusError](err)
	switch {
	case ok:
	case errors.As(err, new(*UnknownError)):
		said = &statusError{code: http.StatusNotFound, text: err.Error()}
	case errors.As(err, new(document.Problems)):
		said = &statusError{code: http.StatusUnprocessableEntity, text: err.Error()}
	default:
		said = &statusError{code: http.StatusServiceUnavailable, text: err.Error(), cause: err}
	}
	if said.cause != nil {
		h.Log.Error("a request could not be answered", "error", said.cause)
	}
	if said.code == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if said.again > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(said.again.Seconds()))))
	}
	h.answer(w, said.code, api.Problem{Error: said.text})
}

func (h *handler) answer(w http.ResponseWriter, code int, what any) {
	h.metrics.answered(code)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(what); err != nil {
		h.Log.Info("a client went before its answer", "error", err)
	}
}
