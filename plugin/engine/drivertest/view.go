package drivertest

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// askEvery is how often a view asks. It is a look from outside: there is
	// nothing to wait for.
	askEvery = 2 * time.Millisecond
	askLimit = 2 * time.Second
)

// answer is what an instance of the service answered to one question.
type answer struct {
	asked, answered time.Time
	instance        string
}

// view asks the service again and again.
type view struct {
	cancel  context.CancelFunc
	work    sync.WaitGroup
	answers []answer
}

func look(t *trial) *view {
	ctx, cancel := context.WithCancel(t.ctx)
	v := &view{cancel: cancel}
	v.work.Go(func() {
		wait.UntilWithContext(ctx, func(context.Context) {
			limited, cancel := context.WithTimeout(ctx, askLimit)
			defer cancel()
			asked := time.Now()
			if instance, err := t.Ask(limited); err == nil {
				v.answers = append(v.answers, answer{asked, time.Now(), instance})
			}
		}, askEvery)
	})
	return v
}

// close ends the view and returns all that it saw.
func (v *view) close() []answer {
	v.cancel()
	v.work.Wait()
	return v.answers
}
