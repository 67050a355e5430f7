package probes

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"
)

type pace struct {
	interval time.Duration        // from an answer to the next question
	longest  time.Duration        // the interval grows by half after each answer up to this; 0 keeps it constant
	patience time.Duration        // when to stop asking; 0 sets no limit
	due      func() time.Duration // how soon the next answer can decide; not positive: no sooner than others. May be nil
	hedged   bool                 // sends another request beside one that takes longer than [hedgeDelay]
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
			if !yield(answer) || p.patience > 0 && time.Since(began) > p.patience {
				return
			}
			wait := interval
			if p.due != nil && p.due() > 0 {
				wait = min(wait, p.due())
			}
			if !pause(ctx, wait) {
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
