package local

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// pod keeps one process running: it starts the first one, and another one
// after each that ends. Its fields are guarded by the cluster's lock.
type pod struct {
	Pod
	cluster *Cluster
	log     *os.File

	// answered: a process of the pod was ready once. Without that, err is why
	// the first one could not be started or ended.
	answered bool
	err      error
	current  *process  // the one that runs; nil while none does
	due      time.Time // when the next process is to be started
	failures int       // how many faults keep the pod down
	hits     []*hit    // the faults that took the pod's process and wait for the next
}

// retryAfter is the least time from a process's own end to the next one's start.
const retryAfter = 100 * time.Millisecond

func (c *Cluster) newPod(description Pod) (*pod, error) {
	name := filepath.Join(c.folder, logs, description.Name+".log")
	log, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of pod %s: %w", description.Name, err)
	}
	return &pod{Pod: description, cluster: c, log: log}, nil
}

// supervise keeps the pod's process running until the cluster closes.
func (p *pod) supervise() {
	may := func() bool { return p.failures == 0 && !time.Now().Before(p.due) }
	for p.cluster.wait(context.Background(), may) == nil {
		process := p.start()
		if process == nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		var asking sync.WaitGroup
		asking.Go(func() {
			if p.Ready.await(ctx, true) == nil {
				p.answers(process)
			}
		})
		<-process.gone
		cancel()
		asking.Wait()
		p.ended(process)
	}
}

// start starts a process, unless something has come in between.
func (p *pod) start() *process {
	c := p.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil || p.failures > 0 {
		return nil
	}
	process, err := run(p.Command, c.folder, environment(p.Env), p.log, c.lifeline)
	if err != nil {
		p.cannot(cmp.Or(c.description.CheckCommand(p.Pod), fmt.Errorf("start pod %s: %w", p.Name, err)))
		p.startAt(time.Now().Add(max(time.Duration(p.RestartAfter), retryAfter)))
		return nil
	}
	p.current = process
	for _, h := range p.hits {
		if h.phase == down {
			h.become(started, time.Now(), fmt.Sprintf("%s of pod %s was started", process, p.Name))
		}
	}
	c.freeReplacement(p)
	c.notify()
	c.work.Go(process.wait)
	return process
}

func (p *pod) startAt(due time.Time) {
	p.due = due
	time.AfterFunc(time.Until(due), func() {
		p.cluster.mu.Lock()
		defer p.cluster.mu.Unlock()
		p.cluster.notify()
	})
}

// answers is called when a process has answered its readiness check.
func (p *pod) answers(process *process) {
	c := p.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if process.dying() {
		return
	}
	at := time.Now()
	for _, link := range c.links {
		if link.to == p {
			if err := link.open(); err != nil {
				p.cannot(err)
				return
			}
		}
	}
	p.answered = true
	p.hits = slices.DeleteFunc(p.hits, func(h *hit) bool {
		if h.phase >= down {
			h.become(ready, at, fmt.Sprintf("%s of pod %s answers", process, p.Name))
		}
		return h.phase == ready
	})
	c.notify()
}

// ended is called when a process has gone.
func (p *pod) ended(process *process) {
	c := p.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	p.current = nil
	after := time.Duration(p.RestartAfter)
	if !process.killed {
		after = max(after, retryAfter)
	}
	c.dropHeld(p, process)
	p.disturb(process.at, fmt.Sprintf("%s of pod %s has gone: %s", process, p.Name, process.end))
	for _, h := range p.hits {
		if h.process == process && h.phase == struck {
			h.become(down, process.at, fmt.Sprintf("%s of pod %s has gone: %s", process, p.Name, process.end))
		}
	}
	if !p.answered {
		p.cannot(fmt.Errorf("pod %s ended before it was ready: %s", p.Name, process.end))
	}
	p.startAt(process.at.Add(after))
	c.notify()
}

// cannot passes on why the pod has no process, to all who wait for one.
func (p *pod) cannot(err error) {
	for _, h := range p.hits {
		h.fault.trouble(err)
	}
	if !p.answered && p.err == nil {
		p.err = withLog(err, p.log.Name())
	}
	p.cluster.notify()
}

const (
	tailBytes = 4 << 10
	tailLines = 5
)

func withLog(err error, name string) error {
	data, _ := os.ReadFile(name) // without it the error is still one
	data = data[max(0, len(data)-tailBytes):]
	lines := strings.Split(strings.TrimSpace(document.Lines(string(data))), "\n")
	if text := strings.Join(lines[max(0, len(lines)-tailLines):], "\n"); text != "" {
		return fmt.Errorf("%w; the end of %s:\n%s", err, name, text)
	}
	return err
}
