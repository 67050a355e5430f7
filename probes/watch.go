package probes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
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
	observer Observer
	noun     string // of a sample
	ask      func(context.Context) sample
	keep     func(sample) // may be nil
	evidence func(sample) map[string]string

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
		for got := range poll(ctx, p, w.ask) {
			if w.err = got.err; w.err != nil || over(ctx) && !got.Outcome.Answered() && got.Outcome.Kind != emco.Refused {
				return
			}
			if got.key() != w.last.key() {
				w.observer.Note(got.Ended, got.note)
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

type pace struct {
	interval time.Duration // from an answer to the next question
	longest  time.Duration // the interval grows by half after each answer up to this; 0 keeps it constant
	patience time.Duration // when to stop asking; 0 sets no limit
	hedged   bool          // sends another request beside one that takes longer than [hedgeDelay]
}

// hedgeDelay is how long a request may hang before another one is sent beside
// it. The first packet to a pod that has just gone can get lost, which costs a
// second; one that is sent a moment later is answered or refused at once.
const hedgeDelay = 100 * time.Millisecond

// poll asks until ctx ends, the patience is over or the caller breaks off, and
// yields each answer. When it returns no question is open.
func poll[T any](ctx context.Context, p pace, ask func(context.Context) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		began := time.Now()
		asking, stop := context.WithCancel(ctx)
		var open sync.WaitGroup
		defer open.Wait()
		defer stop()
		answers := make(chan T)
		for interval := p.interval; ; interval = max(interval, min(interval*3/2, p.longest)) {
			var answer T
			if !p.hedged {
				answer = ask(ctx)
			} else if first, ok := hedge(asking, &open, answers, ask); ok {
				answer = first
			} else {
				return
			}
			if !yield(answer) || p.patience > 0 && time.Since(began) > p.patience || !pause(ctx, interval) {
				return
			}
		}
	}
}

// hedge asks, again whenever hedgeDelay passes without an answer, and returns
// the first answer to any open question; false if ctx ended before.
func hedge[T any](ctx context.Context, open *sync.WaitGroup, answers chan T, ask func(context.Context) T) (answer T, ok bool) {
	for {
		open.Go(func() {
			answer := ask(ctx)
			select {
			case answers <- answer:
			case <-ctx.Done():
			}
		})
		select {
		case answer = <-answers:
			return answer, true
		case <-time.After(hedgeDelay):
		case <-ctx.Done():
			return answer, false
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// outOfTime reports whether ctx ended because its time was up.
func outOfTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return errors.Is(ctx.Err(), context.DeadlineExceeded) || ok && !time.Now().Before(deadline)
}

// over reports whether ctx has ended, or is about to: what its deadline cuts
// short can return just before the context itself has ended.
func over(ctx context.Context) bool { return ctx.Err() != nil || outOfTime(ctx) }
