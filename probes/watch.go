package probes

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// sample is what one request showed.
type sample struct {
	emco.Answer
	// reading is the state, of a status request.
	reading emco.Reading
	// look is one word for how a service looked, of an endpoint check.
	look string
	// words are the sample for the reader, and note the note of it. Samples
	// that look alike are noted once.
	words, note string
	// err says that the request could not be sent, or that sending it again is
	// of no use.
	err error
}

// alike is what samples in a row are compared by.
func (s sample) alike() string { return cmp.Or(s.look, s.note) }

// watch polls one question and keeps what the samples showed.
type watch struct {
	observer Observer
	noun     string // of a sample
	ask      func(context.Context) sample
	keep     func(sample) // may be nil
	evidence func(sample) map[string]string

	began time.Time
	last  sample
	err   error // of the sample that ended the watch
}

// samples polls until the caller breaks off, the question cannot be asked, or
// ctx ends. A request that the end of ctx cut short is no sample.
func (w *watch) samples(ctx context.Context, p pace) iter.Seq[sample] {
	return func(yield func(sample) bool) {
		w.began = time.Now()
		for got := range poll(ctx, p, w.ask) {
			if w.err = got.err; w.err != nil || over(ctx) && !got.Outcome.Answered() && got.Outcome.Kind != emco.Refused {
				return
			}
			if got.alike() != w.last.alike() {
				w.observer.Note(got.Ended, got.note)
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

// result is a conclusion with the evidence of the last sample.
func (w *watch) result(conclusion Conclusion, format string, args ...any) Result {
	if w.err != nil {
		return errored(w.err)
	}
	return Result{Conclusion: conclusion, Message: fmt.Sprintf(format, args...), Evidence: w.evidence(w.last)}
}

// after is the time from the first request to the last sample.
func (w *watch) after() string { return shown(w.last.Ended.Sub(w.began)) }

// unseen is the result when what should have been seen was not, which says
// nothing about EMCO.
func (w *watch) unseen(what string) Result {
	return w.result(Inconclusive, "%s within %s (%s)", what, shown(time.Since(w.began)), w.seen())
}

// unfinished is the result when ctx ended before the answer was known.
func (w *watch) unfinished(ctx context.Context, what string) Result {
	result := unfinished(ctx, time.Since(w.began), fmt.Sprintf("%s (%s)", what, w.seen()))
	return w.result(result.Conclusion, "%s", result.Message)
}

// failure is why a watch ended before it had seen what it was for.
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

// seen is the last sample for the reader.
func (w *watch) seen() string {
	if w.last.words == "" {
		return "nothing was seen"
	}
	return "last " + w.noun + ": " + w.last.words
}

// unfinished is the result of a probe that ctx ended while its answer was
// open: if its time was up, EMCO did not do in time what was asked of it.
func unfinished(ctx context.Context, waited time.Duration, what string) Result {
	if outOfTime(ctx) {
		return Result{Conclusion: Failed, Message: fmt.Sprintf("%s within %s", what, shown(waited))}
	}
	return Result{Conclusion: Inconclusive, Message: fmt.Sprintf("ended after %s: %s", shown(waited), what)}
}

func errored(err error) Result { return Result{Conclusion: Errored, Message: err.Error()} }

// shown rounds a duration for a reader.
func shown(d time.Duration) string {
	if d < time.Second {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
