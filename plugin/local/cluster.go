// Package local is a system to put faults on without a Kubernetes: processes
// on this machine stand in for pods, and TCP links between them for the
// network. A [Cluster] starts them, keeps them running, and takes the same
// Chaos Mesh objects as a real cluster does.
//
// A pod is its process here. A process that ended is replaced by a new one,
// as a pod is by the next one of its Deployment, and the new one is free of
// the network faults of the old.
package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Options are settings of a cluster that its file does not have.
type Options struct {
	// Logs is the folder for what the processes write, one file NAME.log a
	// pod; empty is the folder logs beside the cluster file.
	Logs string
	// ReadyWithin is how long Start waits for each pod; 0 is 30 s.
	ReadyWithin time.Duration
	// StopWithin is how long a process may take to stop when it was asked to,
	// before it is killed; 0 is 5 s.
	StopWithin time.Duration
}

const (
	readyWithin = 30 * time.Second
	stopWithin  = 5 * time.Second
	// vacantWithin is how long Start waits for whatever still answers where
	// a pod is to: processes whose owner died take a moment to end.
	vacantWithin = 5 * time.Second
)

// ErrClosed says that the cluster was closed.
var ErrClosed = errors.New("the local cluster is closed")

// Cluster is a running cluster. It is an [engine.Driver].
type Cluster struct {
	description *Description
	folder      string
	lock        *os.File
	stopWithin  time.Duration
	lifeline    lifeline
	pods        []*pod
	links       []*link
	// work waits for the goroutines of the cluster and of its links.
	work sync.WaitGroup
	// stop ends what is being waited for, and closed is closed at its end.
	stop      context.CancelFunc
	closed    <-chan struct{}
	closeOnce sync.Once
	closeErr  error

	// mu guards all that faults, pods and processes have to do with each
	// other, so that what happens to them has one order.
	mu      sync.Mutex
	closing bool
	faults  map[identity]*applied
}

// lifeline is a pipe whose end tells the processes that this one is gone.
type lifeline struct{ child, own *os.File }

// Start starts the cluster and returns when all of its pods are ready. Only
// one process can run a cluster at a time; for another one the error is a
// [LockedError]. Ctx ends the start only.
func Start(ctx context.Context, description *Description, options Options) (*Cluster, error) {
	file, err := filepath.Abs(description.File)
	if err != nil {
		return nil, fmt.Errorf("find the cluster's folder: %w", err)
	}
	if options.Logs == "" {
		options.Logs = filepath.Join(filepath.Dir(file), "logs")
	}
	if options.ReadyWithin == 0 {
		options.ReadyWithin = readyWithin
	}
	if options.StopWithin == 0 {
		options.StopWithin = stopWithin
	}
	lock, err := takeLock(file + ".lock")
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.Background())
	c := &Cluster{
		description: description,
		folder:      filepath.Dir(file),
		lock:        lock,
		stop:        stop,
		closed:      running.Done(),
		faults:      map[identity]*applied{},
		stopWithin:  options.StopWithin,
	}
	if err := c.start(ctx, running, options); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx, running context.Context, options Options) error {
	var err error
	if c.lifeline.child, c.lifeline.own, err = os.Pipe(); err != nil {
		return fmt.Errorf("make the processes' lifeline: %w", err)
	}
	if err := os.MkdirAll(options.Logs, 0o750); err != nil {
		return fmt.Errorf("make the folder for logs: %w", err)
	}
	for _, description := range c.description.Pods {
		pod, err := c.newPod(description, options.Logs)
		if err != nil {
			return err
		}
		c.pods = append(c.pods, pod)
	}
	for _, description := range c.description.Links {
		link, err := newLink(description, c.pod(description.From), c.pod(description.To), &c.work)
		if err != nil {
			return err
		}
		c.links = append(c.links, link)
		if link.to == nil {
			if err := link.open(); err != nil {
				return err
			}
		}
	}
	for _, pod := range c.pods {
		for _, name := range pod.After {
			if err := c.awaitReady(ctx, c.pod(name), options.ReadyWithin); err != nil {
				return err
			}
		}
		if err := awaitVacant(ctx, pod, min(vacantWithin, options.ReadyWithin)); err != nil {
			return err
		}
		pod.begun = true
		c.work.Go(func() { pod.supervise(running) })
	}
	for _, pod := range c.pods {
		if err := c.awaitReady(ctx, pod, options.ReadyWithin); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady waits until a pod is ready for the first time.
func (c *Cluster) awaitReady(ctx context.Context, pod *pod, limit time.Duration) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-pod.ready:
		return nil
	case <-pod.failed:
		return pod.err
	case <-ctx.Done():
		return fmt.Errorf("wait for pod %s: %w", pod.Name, ctx.Err())
	case <-timer.C:
	}
	err := fmt.Errorf("pod %s was not ready after %v: nothing answers at %s", pod.Name, limit, pod.Ready)
	if lines := tail(pod.log.Name()); lines != "" {
		err = fmt.Errorf("%w; the end of %s:\n%s", err, pod.log.Name(), lines)
	}
	return err
}

// awaitVacant waits until nothing answers where the pod is to: what answers
// there would be taken for the pod.
func awaitVacant(ctx context.Context, pod *pod, limit time.Duration) error {
	address := pod.Ready.address()
	if address == "" {
		return nil
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for accepts(ctx, address) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		case <-timer.C:
			return fmt.Errorf("start pod %s: something else already answers at %s; end it, or give the pod another port", pod.Name, address)
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start pod %s: %w", pod.Name, err)
	}
	return nil
}

// Close stops the pods, the last one first, and everything else of the
// cluster, and returns when nothing of it runs any more. Faults that are
// still applied end without another moment. The error says which process did
// not stop when it was asked to.
func (c *Cluster) Close() error {
	c.closeOnce.Do(func() { c.closeErr = c.shut() })
	return c.closeErr
}

func (c *Cluster) shut() error {
	c.mu.Lock()
	c.closing = true
	for _, applied := range c.faults {
		applied.abandon()
	}
	clear(c.faults)
	for _, pod := range c.pods {
		pod.hits = nil
	}
	c.mu.Unlock()
	c.stop()
	// What is held stays unsent: the cluster ends as if it had been cut off.
	for _, link := range c.links {
		link.dropHeld()
	}
	var errs []error
	for _, pod := range slices.Backward(c.pods) {
		if pod.begun && pod.stop(c.stopWithin) {
			errs = append(errs, fmt.Errorf("pod %s did not stop within %v and was killed", pod.Name, c.stopWithin))
		}
	}
	for _, link := range c.links {
		link.close()
	}
	c.work.Wait()
	for _, pod := range c.pods {
		pod.log.Close()
	}
	if c.lifeline.own != nil {
		c.lifeline.own.Close()
		c.lifeline.child.Close()
	}
	c.lock.Close()
	return errors.Join(errs...)
}

// pod finds a pod by its name; nil when there is none.
func (c *Cluster) pod(name string) *pod {
	for _, pod := range c.pods {
		if pod.Name == name {
			return pod
		}
	}
	return nil
}

// linksOf are the links that have the pod at one of their ends.
func (c *Cluster) linksOf(p *pod) []*link {
	var links []*link
	for _, link := range c.links {
		if link.from == p || link.to == p {
			links = append(links, link)
		}
	}
	return links
}

// kill kills a process. What a link holds of it, or for it, is dropped first:
// from here on it is as good as dead.
func (c *Cluster) kill(p *pod, process *process) bool {
	for _, link := range c.linksOf(p) {
		link.doomHeld()
	}
	return process.signal(syscall.SIGKILL)
}

func (r Ready) String() string {
	switch {
	case r.HTTP != "":
		return r.HTTP
	case r.TCP != "":
		return r.TCP
	}
	return "nothing"
}
