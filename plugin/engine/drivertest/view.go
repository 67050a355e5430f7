package drivertest

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// askEvery is how often a view asks. It is a look from outside: there is
// nothing to wait for.
const askEvery = 2 * time.Millisecond

const askLimit = 2 * time.Second

// answer is what the service answered to one question.
type answer struct {
	asked, answered time.Time
	instance        string
	err             error
}

// view asks the service again and again.
type view struct {
	system System
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu      sync.Mutex
	answers []answer
}

func look(ctx context.Context, system System) *view {
	ctx, cancel := context.WithCancel(ctx)
	v := &view{system: system, cancel: cancel}
	v.work.Go(func() {
		ticker := time.NewTicker(askEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			v.ask(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	})
	return v
}

func (v *view) ask(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	one := answer{asked: time.Now()}
	one.instance, one.err = v.system.Ask(limited)
	one.answered = time.Now()
	if ctx.Err() != nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.answers = append(v.answers, one)
}

// close ends the view and returns all that it saw.
func (v *view) close() []answer {
	v.cancel()
	v.work.Wait()
	return v.answers
}

// servedBetween looks for an answer to a question that was asked at from or
// later and answered before to; a zero to is no limit.
func servedBetween(answers []answer, from, to time.Time) (answer, bool) {
	for _, one := range answers {
		if one.err == nil && !one.asked.Before(from) && (to.IsZero() || one.answered.Before(to)) {
			return one, true
		}
	}
	return answer{}, false
}

// awaitAnswer asks until an instance answers, no longer than limit, and at
// least once.
func awaitAnswer(ctx context.Context, system System, limit time.Duration) (string, error) {
	deadline := time.Now().Add(limit)
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, askLimit)
		instance, err := system.Ask(limited)
		cancel()
		if err == nil {
			return instance, nil
		}
		if time.Now().After(deadline) {
			return "", fmt.Errorf("the service does not answer: %w", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}
