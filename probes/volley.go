package probes

import (
	"context"
	"iter"
	"sync"
	"time"
)

// impatience is how long a question may hang before the next one is asked
// beside it. The first packet to a pod that has just gone can get lost, which
// costs a second; one that is sent a moment later is answered, or refused, at
// once.
const impatience = 100 * time.Millisecond

// volley asks again and again, an interval after each answer, and does not
// wait for a question that hangs. The answers come as they arrive, until ctx
// ends or nobody wants more; then no question is open any more.
func volley[T any](ctx context.Context, interval time.Duration, ask func(context.Context) T) iter.Seq[T] {
	return func(yield func(T) bool) {
		asking, stop := context.WithCancel(ctx)
		var open sync.WaitGroup
		defer open.Wait()
		defer stop()
		answers := make(chan T)
		for {
			open.Go(func() {
				answer := ask(asking)
				select {
				case answers <- answer:
				case <-asking.Done():
				}
			})
			impatient := time.NewTimer(impatience)
			select {
			case answer := <-answers:
				impatient.Stop()
				if !yield(answer) || !pause(asking, interval) {
					return
				}
			case <-impatient.C:
			case <-asking.Done():
				impatient.Stop()
				return
			}
		}
	}
}
