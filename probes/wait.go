package probes

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// outOfTime says whether ctx ended because its time was up, and not because
// somebody ended it.
func outOfTime(ctx context.Context) bool {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// over says whether ctx ended, or is about to: what was cut short by its
// deadline can return just before the context itself knows.
func over(ctx context.Context) bool { return ctx.Err() != nil || outOfTime(ctx) }

// unfinished is the result of a probe that ctx ended while its answer was
// open: if its time was up, EMCO did not do in time what was asked of it.
func unfinished(ctx context.Context, waited time.Duration, what string) Result {
	if outOfTime(ctx) {
		return Result{Conclusion: Failed, Message: fmt.Sprintf("%s within %s", what, shown(waited))}
	}
	return Result{Conclusion: Inconclusive, Message: fmt.Sprintf("ended after %s: %s", shown(waited), what)}
}

func errored(err error) Result {
	return Result{Conclusion: Errored, Message: err.Error()}
}

// shown rounds a duration for a reader.
func shown(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}

// read asks once how far a call has come. An error means that it could not
// even be asked.
func (s Subject) read(ctx context.Context, call emco.Call) (emco.Reading, emco.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	answer, err := s.Client.Do(ctx, call.Status(s.Names))
	if err != nil {
		return emco.Reading{}, emco.Answer{}, err
	}
	return call.Read(answer), answer, forbidden(answer)
}

// forbidden is the error of an answer that says that the token is wrong:
// asking again is of no use.
func forbidden(answer emco.Answer) error {
	if answer.Code == 401 || answer.Code == 403 {
		return fmt.Errorf("%s %s: %s; give a token that EMCO takes", answer.Request.Method, answer.Request.Anchor, answer)
	}
	return nil
}

// changes notes what is seen when it is not what was seen before.
type changes struct {
	observer Observer
	last     string
}

func (c *changes) see(at time.Time, text string) {
	if text != c.last {
		c.last = text
		c.observer.Note(at, text)
	}
}
