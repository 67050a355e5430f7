package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// settle waits for the calls that may still take effect: what is removed
// before such a call is done, the call makes again. A call that was held is
// answered up to 18 s after the release.
func (s Subject) settle(ctx context.Context, observer Observer) error {
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
