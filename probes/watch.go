package probes

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// sample is one observation of EMCO: the answer to one request.
type sample struct {
	emco.Answer
	reading     emco.Reading // of a status request
	condition   string       // of the service, by an endpoint check
	words, note string
	err         error // the request could not be sent, or must not be sent again
}

// key is equal for equal samples, which are noted once in a row.
func (s sample) key() string { return cmp.Or(s.condition, s.note) }

// watch polls one question and keeps the last sample.
type watch struct {
	task
	noun     string // of a sample
	ask      func(context.Context) sample
	keep     func(sample) // may be nil
	evidence func(sample) map[string]string
	hold     time.Duration // how long an answer must hold to count; 0 if that is not asked

	began   time.Time
	last    sample
	same    time.Time // since when the samples are equal
	refused time.Time // since when EMCO refuses to give the state
	err     error     // of the sample that ended the watch
}

// samples polls until the caller breaks off, the question cannot be asked, or
// ctx ends. A request that the end of ctx cut short is no sample.
func (w *watch) samples(ctx context.Context, p pace) iter.Seq[sample] {
	return func(yield func(sample) bool) {
		w.began = time.Now()
		p.due = func() time.Duration { return w.hold - w.held() }
		for got := range poll(ctx, w.Setup.pace(p), w.ask) {
			if w.err = got.err; w.err != nil || over(ctx) && !got.Outcome.Answered() && got.Outcome.Kind != emco.Refused {
				return
			}
			if got.key() != w.last.key() {
				w.Note(got.Ended, got.note)
			}
			if fmt.Sprint(got.reading) != fmt.Sprint(w.last.reading) || w.same.IsZero() {
				w.same = got.Ended
			}
			if !refuses(got) {
				w.refused = time.Time{}
			} else if w.refused.IsZero() {
				w.refused = got.Started
			}
			w.last = got
			if w.keep != nil {
				w.keep(got)
			}
			if !yield(got) {
				return
			}
		}
	}
}

func (w *watch) result(conclusion Conclusion, format string, args ...any) Result {
	if w.err != nil {
		return errored(w.err)
	}
	return Result{Conclusion: conclusion, Message: fmt.Sprintf(format, args...), Evidence: w.evidence(w.last)}
}

// held is for how long the status has said the same, history, counts and objects too.
func (w *watch) held() time.Duration { return w.last.Ended.Sub(w.same) }

func (w *watch) after() string { return rounded(w.last.Ended.Sub(w.began)) }

func (w *watch) unseen(what string) Result {
	return w.result(Inconclusive, "%s within %s (%s)", what, rounded(time.Since(w.began)), w.seen())
}

func (w *watch) unfinished(ctx context.Context, what string) Result {
	result := unfinished(ctx, time.Since(w.began), fmt.Sprintf("%s (%s)", what, w.seen()))
	return w.result(result.Conclusion, "%s", result.Message)
}

func (w *watch) failure(ctx context.Context) error {
	switch {
	case w.err != nil:
		return w.err
	case over(ctx):
		<-ctx.Done()
		return ctx.Err()
	default:
		return fmt.Errorf("GET %s: %s", w.last.Request.Anchor, w.last.words)
	}
}

func (w *watch) seen() string {
	if w.last.words == "" {
		return "nothing was seen"
	}
	return "last " + w.noun + ": " + w.last.words
}

// unfinished is the result of a probe that ctx ended while its answer was open.
// If its time was up, EMCO did not do in time what was asked of it.
func unfinished(ctx context.Context, waited time.Duration, what string) Result {
	if outOfTime(ctx) {
		return Result{Conclusion: Failed, Message: what + " within " + rounded(waited)}
	}
	return Result{Conclusion: Inconclusive, Message: fmt.Sprintf("ended after %s: %s", rounded(waited), what)}
}

func errored(err error) Result { return Result{Conclusion: Errored, Message: err.Error()} }

func rounded(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
