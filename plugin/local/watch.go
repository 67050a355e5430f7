package local

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
)

// stoppedEvery is how often each process is looked at: nothing announces that
// somebody stopped it by a signal.
const stoppedEvery = 100 * time.Millisecond

// Watch observes what happens to the pods beside the faults on them; see
// [engine.Watcher].
func (c *Cluster) Watch(ctx context.Context, observe func(engine.Disturbance)) error {
	c.mu.Lock()
	c.disturbed = observe
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.disturbed = nil
	}()
	ctx, end := context.WithCancelCause(ctx)
	defer context.AfterFunc(c.ctx, func() { end(ErrClosed) })()
	wait.UntilWithContext(ctx, func(context.Context) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, pod := range c.pods {
			if p := pod.current; p != nil && !p.stopped && p.state() == "T" {
				p.stopped = true
				pod.disturb(time.Now(), fmt.Sprintf("%s of pod %s was stopped by a signal", p, pod.Name))
			}
		}
	}, stoppedEvery)
	return context.Cause(ctx)
}

// disturb observes what happens to a pod, unless a fault on it is the reason:
// one that has struck it, and after which it was not ready yet.
func (p *pod) disturb(at time.Time, text string) {
	if c := p.cluster; len(p.hits) == 0 && c.disturbed != nil && c.ctx.Err() == nil {
		c.disturbed(engine.Disturbance{Service: p.Name, At: at, Text: text})
	}
}
