package lifecycle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/appcontext"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/docstore"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// Keys of documents that no EMCO has: what the bugs remember.
const (
	runningKeys = "emulator/running/"
	askedKeys   = "emulator/asked/"
	mark        = "mark"
)

// forgetPatience is how long a service waits for its bug before it listens.
const forgetPatience = 2 * time.Second

// Forgetful is bug.LoseState of one service: it notices that the service was killed, and then makes it forget what it
// had accepted and had not finished.
type Forgetful struct {
	Service  string
	Store    *docstore.Client
	Contexts appcontext.Contexts
	Depth    int // of the keys, below projects/, of what has a state
}

// Start is called before the service listens. It returns when everything is forgotten, or after a while, so that a
// back end that hangs does not keep the service from coming back.
func (f Forgetful) Start(ctx context.Context) (wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f.forget(ctx); err == nil {
			_ = f.Store.Insert(ctx, runningKeys+f.Service, "", mark, true)
		}
	}()
	select {
	case <-done:
	case <-time.After(forgetPatience):
	}
	return func() { <-done }
}

// ErrKilled is the cause of the end of a service's context when the service is to end as by a SIGKILL.
var ErrKilled = errors.New("killed")

// Stop is called when the service's context ended. It remembers that the service was asked to stop, if it was.
func (f Forgetful) Stop(ctx context.Context) {
	if errors.Is(context.Cause(ctx), ErrKilled) {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetPatience)
	defer cancel()
	_ = f.Store.Remove(last, runningKeys+f.Service)
}

func (f Forgetful) forget(ctx context.Context) error {
	var killed bool
	err := f.Store.Find(ctx, runningKeys+f.Service, mark, &killed)
	if errors.Is(err, docstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := f.Store.List(ctx, "projects/", f.Depth, rest.State)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		var info Info
		if err := json.Unmarshal(entry.Value, &info); err != nil {
			return fmt.Errorf("state of %s: %w", entry.Key, err)
		}
		if err := f.forgetOne(ctx, entry.Key, info); err != nil {
			return err
		}
	}
	return nil
}

func (f Forgetful) forgetOne(ctx context.Context, key string, info Info) error {
	last := info.Last()
	kind, final := appcontext.Instantiate, appcontext.Instantiated
	switch last.State {
	case Instantiated:
	case Terminated:
		kind, final = appcontext.Terminate, appcontext.Terminated
	default:
		return nil
	}
	state, err := f.Contexts.StateOf(ctx, last.Instance)
	if errors.Is(err, appcontext.ErrMissing) || state == final {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Contexts.Withdraw(ctx, last.Instance, kind); err != nil {
		return err
	}
	info.Actions = info.Actions[:len(info.Actions)-1]
	info.StatusContextID = ""
	for _, action := range info.Actions {
		if action.State == Instantiated {
			info.StatusContextID = action.Instance
		}
	}
	return f.Store.Insert(ctx, key, "", rest.State, info)
}

// OnceOnly is bug.WrongCodeOnReissue: it answers the second call of a handler on the same path by a text that EMCO
// never gives, even when a kill came between.
func OnceOnly(bugs bug.Set, store *docstore.Client, handler rest.Handler) rest.Handler {
	if !bugs[bug.WrongCodeOnReissue] {
		return handler
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		key := askedKeys + strings.ReplaceAll(strings.Trim(r.URL.Path, "/"), "/", ":")
		var before bool
		err := store.Find(r.Context(), key, mark, &before)
		switch {
		case err == nil:
			return rest.BadRequest("This request has been made before")
		case !errors.Is(err, docstore.ErrNotFound):
			return rest.FindError(err)
		}
		if err := store.Insert(r.Context(), key, "", mark, true); err != nil {
			return rest.InsertError(err)
		}
		return handler(w, r)
	}
}
