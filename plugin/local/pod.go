package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// pod keeps one process running: it starts the first one, and another one
// after each that ends. Its fields are guarded by the cluster's lock.
type pod struct {
	Pod
	cluster *Cluster
	log     *os.File
	// ready is closed when the first process answers, and failed when it
	// could not be started or ended before it did; err says why.
	ready  chan struct{}
	failed chan struct{}
	err    error
	// begun says that the pod is supervised, and done is closed when its last
	// process has gone for good.
	begun bool
	done  chan struct{}

	// current is the process that runs; nil while none does.
	current *process
	// number is that of the latest process.
	number int
	// due is when the next process is to be started, and hurry that it is
	// to be started at once whatever due says.
	due   time.Time
	hurry bool
	// failures is how many faults keep the pod down.
	failures int
	// wake tells the supervisor that hurry or failures has changed.
	wake chan struct{}
	// hits are the faults that wait for something of this pod.
	hits []*hit
}

// retryAfter is the least time between two starts of a process that ended by
// itself, so that one that cannot run does not keep the machine busy.
const retryAfter = 100 * time.Millisecond

func (c *Cluster) newPod(description Pod, logs string) (*pod, error) {
	name := filepath.Join(logs, description.Name+".log")
	log, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log of pod %s: %w", description.Name, err)
	}
	return &pod{
		Pod: description, cluster: c, log: log,
		ready: make(chan struct{}), failed: make(chan struct{}), done: make(chan struct{}),
		wake: make(chan struct{}, 1),
	}, nil
}

// supervise keeps the pod's process running until the cluster closes.
func (p *pod) supervise(ctx context.Context) {
	defer close(p.done)
	for p.awaitTurn(ctx) {
		// What the process before left in the way of the links is to be out
		// of it before there is a new one.
		for _, link := range p.cluster.linksOf(p) {
			if link.from == p {
				link.flush(ctx)
			}
		}
		process, err := p.start()
		if err != nil {
			p.fail(err)
			continue
		}
		if process == nil {
			continue
		}
		p.attend(ctx, process)
	}
}

// awaitTurn waits until a process is to be started, and says whether one
// ever is.
func (p *pod) awaitTurn(ctx context.Context) bool {
	for {
		p.cluster.mu.Lock()
		closing, down, wait := p.cluster.closing, p.failures > 0, time.Until(p.due)
		if p.hurry {
			wait = 0
		}
		p.cluster.mu.Unlock()
		switch {
		case closing:
			return false
		case down:
			select {
			case <-p.wake:
			case <-ctx.Done():
				return false
			}
			continue
		case wait <= 0:
			return true
		}
		timer := time.NewTimer(wait)
		select {
		case <-p.wake:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		timer.Stop()
	}
}

// start starts a process, unless something has come in between.
func (p *pod) start() (*process, error) {
	c := p.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || p.failures > 0 {
		return nil, nil
	}
	c.freeReplaced(p)
	p.hurry = false
	process, command, err := run(p.Command, c.folder, environment(p.Env), p.log, c.lifeline.child)
	if err != nil {
		err = fmt.Errorf("start pod %s: %w", p.Name, err)
		p.due = time.Now().Add(max(p.RestartAfter, retryAfter))
		p.cannot(err)
		return nil, err
	}
	p.number++
	process.number = p.number
	p.current = process
	c.work.Go(func() { process.wait(command) })
	for _, hit := range slices.Clone(p.hits) {
		hit.started(process)
	}
	return process, nil
}

// attend stays with a process until it has gone.
func (p *pod) attend(ctx context.Context, process *process) {
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan struct{})
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if p.Ready.await(ctx) {
			close(answers)
		}
	}()
	select {
	case <-answers:
		p.answers(process)
		<-process.gone
	case <-process.gone:
	}
	cancel()
	<-asked
	p.ended(process)
}

// answers is called when the process's ready check was answered.
func (p *pod) answers(process *process) {
	c := p.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if process.dead() {
		return
	}
	at := time.Now()
	for _, link := range c.links {
		if link.to != p {
			continue
		}
		if err := link.open(); err != nil {
			p.cannot(err)
			return
		}
	}
	for _, hit := range slices.Clone(p.hits) {
		hit.answers(process, at)
	}
	select {
	case <-p.ready:
	default:
		close(p.ready)
	}
}

// ended is called when a process has gone.
func (p *pod) ended(process *process) {
	c := p.cluster
	c.mu.Lock()
	p.current = nil
	p.due = process.at.Add(p.RestartAfter)
	c.buried(p, process)
	byFault := false
	for _, hit := range slices.Clone(p.hits) {
		byFault = hit.ended(process) || byFault
	}
	if !byFault {
		p.due = process.at.Add(max(p.RestartAfter, retryAfter))
	}
	c.mu.Unlock()
	p.fail(fmt.Errorf("pod %s ended before it was ready: %s", p.Name, process.state))
}

// cannot tells the faults that wait for the pod why it cannot come back.
func (p *pod) cannot(err error) {
	for _, hit := range p.hits {
		hit.fault.trouble(err)
	}
}

// fail is called when a process could not be started or has ended. Before the
// first was ready that is the end of the cluster's start.
func (p *pod) fail(err error) {
	select {
	case <-p.ready:
		return
	case <-p.failed:
		return
	default:
	}
	if lines := tail(p.log.Name()); lines != "" {
		err = fmt.Errorf("%w; the end of %s:\n%s", err, p.log.Name(), lines)
	}
	p.err = err
	close(p.failed)
}

// keepDown kills the pod's process and starts no other one until as often
// letUp is called. It returns the process that was killed, if there was one.
func (p *pod) keepDown() *process {
	p.failures++
	if p.current != nil {
		p.cluster.kill(p, p.current)
	}
	return p.current
}

// letUp has a process started at once, unless another fault keeps the pod
// down.
func (p *pod) letUp() {
	p.failures--
	p.hurry = true
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// stop ends the pod's process: it is asked first, and killed after limit. The
// pod must not start another one. It says whether the process had to be
// killed.
func (p *pod) stop(limit time.Duration) (killed bool) {
	p.cluster.mu.Lock()
	process := p.current
	p.cluster.mu.Unlock()
	if process == nil {
		<-p.done
		return false
	}
	process.signal(syscall.SIGTERM)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-process.gone:
	case <-timer.C:
		killed = process.signal(syscall.SIGKILL)
	}
	<-p.done
	return killed
}
