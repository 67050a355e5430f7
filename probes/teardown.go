package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// teardown removes the attempt's resources, in the order in which EMCO lets
// them go. What existed before the run stays, and its state is reported.
type teardown struct{}

var teardownKind = Kind{
	Activity: action("teardown", "terminates and removes all resources of the attempt"),
	make:     func(arguments) (Probe, error) { return teardown{}, nil },
}

// Run goes round after round until nothing of the attempt is left, or only
// what it must not touch, or ctx ends.
func (teardown) Run(ctx context.Context, on Subject, observer Observer) Result {
	if err := on.awaitUnanswered(ctx, observer); err != nil {
		return errored(err)
	}
	if on.Existing {
		return reportFinalState(ctx, on, observer)
	}
	r := newRemoval(on, observer)
	return r.result("", r.attempt(ctx, on.Names))
}

// awaitUnanswered waits for the calls that may still take effect: what is
// removed before such a call is done, the call makes again. A call that was
// held is answered up to 18 s after the release.
func (s Subject) awaitUnanswered(ctx context.Context, observer Observer) error {
	limited, cancel := context.WithTimeout(ctx, s.Settle)
	defer cancel()
	for _, call := range s.Unanswered {
		observer.Note(time.Now(), fmt.Sprintf("%s had no answer and may still take effect: waiting for it, %s at most", call.Name, s.Settle))
		reading, err := s.await(limited, call, observer, func(r emco.Reading) bool { return r.Ours })
		if err != nil {
			return err
		}
		if !reading.Ours {
			observer.Note(time.Now(), fmt.Sprintf("%s has not taken effect (last status: %s)", call.Name, describe(reading)))
		}
	}
	return nil
}
