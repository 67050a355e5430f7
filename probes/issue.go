package probes

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// issuing brings EMCO to accept a call, as a careful engineer does: it asks
// for the status first, and posts only what EMCO has not begun.
type issuing struct {
	on       Subject
	call     emco.Call
	observer Observer
	// patience bounds how long a reason that can go away is waited out,
	// from the first answer. 0 means until the context ends.
	patience time.Duration

	posts   int
	answer  emco.Answer // to the last POST
	reading emco.Reading
}

// refusal is the error of a call that EMCO refuses for good, or for longer
// than was to be waited.
type refusal struct {
	call   emco.Call
	answer emco.Answer
	status string
}

func (e *refusal) Error() string {
	text := fmt.Sprintf("POST %s: %s", e.answer.Request.Anchor, e.answer)
	if e.status != "" {
		text += "; status says " + e.status
	}
	return text
}

// confirmations is how many readings of the status an answer that says
// "already" is given to come true: the status lags.
const confirmations = 10

// run posts until the call is accepted, or the status says that it is under
// way or over. It returns a [refusal], or the context's error.
func (i *issuing) run(ctx context.Context) error {
	request, err := i.on.request(i.call)
	if err != nil {
		return err
	}
	began := time.Now()
	for {
		if err := i.settle(ctx); err != nil {
			return err
		}
		if i.reading.Ours {
			return nil
		}
		answer, err := i.on.Client.Do(ctx, request)
		if err != nil {
			return err
		}
		i.posts++
		i.answer = answer
		i.observer.Note(answer.Ended, fmt.Sprintf("POST %s --> %s", request.Anchor, answer))
		if err := forbidden(answer); err != nil {
			return err
		}
		if answer.Outcome.Kind == emco.Accepted {
			return nil
		}
		if answer.Outcome.Kind == emco.Rejected {
			switch i.call.Meaning(answer) {
			case emco.Never:
				return &refusal{call: i.call, answer: answer}
			case emco.Already:
				return i.confirm(ctx)
			}
		}
		if i.patience > 0 && time.Since(began) > i.patience {
			return &refusal{call: i.call, answer: answer}
		}
		if !pause(ctx, i.on.Setup.interval()) {
			return ctx.Err()
		}
	}
}

// settle reads the status until it shows the call accepted, or shows twice
// running that it was not: one reading proves nothing.
func (i *issuing) settle(ctx context.Context) error {
	seen := changes{observer: i.observer}
	began := time.Now()
	for notBegun := 0; ; {
		reading, answer, err := i.on.read(ctx, i.call)
		if err != nil {
			return err
		}
		if over(ctx) {
			<-ctx.Done()
			return ctx.Err()
		}
		i.reading = reading
		seen.see(answer.Ended, "status: "+describe(reading))
		if reading.Progress == emco.NotBegun {
			notBegun++
		} else {
			notBegun = 0
		}
		if reading.Ours || notBegun == 2 {
			return nil
		}
		if i.patience > 0 && time.Since(began) > i.patience {
			return fmt.Errorf("GET %s: %s", answer.Request.Anchor, describe(reading))
		}
		if !pause(ctx, i.on.Setup.interval()) {
			return ctx.Err()
		}
	}
}

// confirm reads the status until it bears out an answer that said "already".
func (i *issuing) confirm(ctx context.Context) error {
	for n := 0; n < confirmations; n++ {
		reading, answer, err := i.on.read(ctx, i.call)
		if err != nil {
			return err
		}
		if over(ctx) {
			<-ctx.Done()
			return ctx.Err()
		}
		i.reading = reading
		i.observer.Note(answer.Ended, "status: "+describe(reading))
		if reading.Ours {
			return nil
		}
		if !pause(ctx, i.on.Setup.interval()) {
			return ctx.Err()
		}
	}
	return &refusal{call: i.call, answer: i.answer, status: describe(i.reading)}
}
