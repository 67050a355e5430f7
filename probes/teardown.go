package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

var teardownKind = Kind{
	Activity: action("teardown", "terminates and removes all resources of the attempt"),
	run:      teardown,
}

// teardown removes the attempt's resources, in the order in which EMCO lets
// them go, until nothing is left, or only what it must not touch. What existed
// before the run stays, and its state is reported.
func teardown(ctx context.Context, t task) Result {
	if err := t.awaitUnanswered(ctx); err != nil {
		return errored(err)
	}
	if t.Existing {
		return t.reportFinalState(ctx)
	}
	r := newRemoval(t)
	return r.result("", r.attempt(ctx, t.Names))
}

// awaitUnanswered waits for the calls that may still take effect: what is
// removed before such a call is done, the call makes again. A call that was
// held is answered up to 18 s after the release.
func (t task) awaitUnanswered(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, t.Settle)
	defer cancel()
	for _, call := range t.Unanswered {
		t.Note(time.Now(), fmt.Sprintf("%s had no answer and may still take effect: waiting for it, %s at most", call.Name, t.Settle))
		reading, err := t.await(limited, call, func(r emco.Reading) bool { return r.Ours })
		if err != nil {
			return err
		}
		if !reading.Ours {
			t.Note(time.Now(), fmt.Sprintf("%s has not taken effect (last status: %s)", call.Name, describe(reading)))
		}
	}
	return nil
}
