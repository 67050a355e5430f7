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
	wedgedKeys  = "emulator/wedged/"
	mark        = "mark"
)

// forgetPatience is how long a service waits for its bug before it listens.
const forgetPatience = 2 * time.Second

// Forgetful is bug.LoseState, bug.Wedges and the crash windows of one service: it notices that the service was killed,
// and then makes it forget what it had accepted and had not finished, or wedges it, or lets the windows do harm.
type Forgetful struct {
	Service  string
	Store    *docstore.Client
	Contexts appcontext.Contexts
	Depth    int // of the keys, below projects/, of what has a state
	Windows  *Windows
	Bugs     bug.Set
}

// Needed reports whether the service has a bug that Start and Stop are for.
func (f Forgetful) Needed() bool {
	return f.Bugs[bug.LoseState] || f.Bugs[bug.Wedges] || len(f.Windows.on) > 0
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

// Stop is called when the service's context ended. It remembers that the service was asked to stop, if it was: the next
// kill is then the first one again.
func (f Forgetful) Stop(ctx context.Context) {
	if errors.Is(context.Cause(ctx), ErrKilled) {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetPatience)
	defer cancel()
	_ = f.Store.Remove(last, runningKeys+f.Service)
	_ = f.Store.Remove(last, wedgedKeys+f.Service)
}

func (f Forgetful) forget(ctx context.Context) error {
	var killed bool
	err := f.Store.Find(ctx, runningKeys+f.Service, mark, &killed)
	if err != nil && !errors.Is(err, docstore.ErrNotFound) {
		return err
	}
	if err := f.Windows.start(ctx, killed); err != nil || !killed {
		return err
	}
	entries, err := f.Store.List(ctx, "projects/", f.Depth, rest.State)
	if err != nil {
		return err
	}
	if f.Bugs[bug.Wedges] {
		if err := f.wedge(ctx, entries); err != nil {
			return err
		}
	}
	for _, entry := range entries {
		if !f.Bugs[bug.LoseState] {
			break
		}
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

// wedge remembers, once, what bug.Wedges is about.
func (f Forgetful) wedge(ctx context.Context, entries []docstore.Entry) error {
	var before bool
	if err := f.Store.Find(ctx, wedgedKeys+f.Service, mark, &before); !errors.Is(err, docstore.ErrNotFound) {
		return err
	}
	for _, entry := range entries {
		if err := f.Store.Insert(ctx, wedgedKeys+entry.Key, "", mark, true); err != nil {
			return err
		}
	}
	return f.Store.Insert(ctx, wedgedKeys+f.Service, "", mark, true)
}

// Refuse refuses what is asked of something that is wedged.
func (f Forgetful) Refuse(r *http.Request) error {
	pieces := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2/"), "/"), "/")
	if len(pieces) <= f.Depth || r.Method == http.MethodGet && pieces[len(pieces)-1] != "status" {
		return nil
	}
	key := strings.Join(pieces[:f.Depth+1], "/")
	if err := f.Windows.refuse(r.Context(), r.Method, key, strings.Join(pieces[f.Depth+1:], "/")); err != nil {
		return err
	}
	var wedged bool
	if !f.Bugs[bug.Wedges] || f.Store.Find(r.Context(), wedgedKeys+key, mark, &wedged) != nil {
		return nil
	}
	return rest.Failure(rest.InternalError)
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
