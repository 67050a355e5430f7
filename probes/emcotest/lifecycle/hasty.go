package lifecycle

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest/bug"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/rest"
)

// hastyDelay is long enough for a kill on the 202 to come before the work.
const hastyDelay = 2 * time.Second

// Hasty is bug.AnswersAfterKill of one service: it answers before it does the work, and the work dies with the
// service.
type Hasty struct {
	on   bool
	ctx  context.Context
	work sync.WaitGroup
}

// NewHasty returns the bug of a service that lives as long as ctx, or nothing if the service does not have it.
func NewHasty(ctx context.Context, bugs bug.Set) *Hasty {
	return &Hasty{on: bugs[bug.AnswersAfterKill], ctx: ctx}
}

// Wrap answers a handler's calls by a 202 and calls the handler later. What that answers, nobody hears.
func (h *Hasty) Wrap(handler rest.Handler) rest.Handler {
	if !h.on {
		return handler
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		later := r.WithContext(h.ctx)
		later.Body = http.NoBody
		h.work.Go(func() {
			select {
			case <-time.After(hastyDelay):
				_ = handler(httptest.NewRecorder(), later)
			case <-h.ctx.Done():
			}
		})
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
}

// Wait returns when nothing is left to do. It is called when the service's context has ended.
func (h *Hasty) Wait() { h.work.Wait() }
