// Package local is a system to put faults on without a Kubernetes: processes on
// this machine stand in for pods, and TCP links between them for the network. A
// [Cluster] takes the same Chaos Mesh objects as a real one. A process that ended
// is replaced, and the new one is free of the network faults of the old.
package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Options are settings of a cluster that its file does not have.
type Options struct {
	ReadyWithin time.Duration // how long Start waits for each pod; 0 is 30 s
	StopWithin  time.Duration // how long a process may take to stop; 0 is 5 s
}

const (
	vacantWithin = 5 * time.Second // for processes whose owner died to end
	logs         = "logs"          // the folder beside the cluster file for NAME.log of each pod
)

var (
	ErrClosed = errors.New("the local cluster is closed")
	ErrLocked = errors.New("the cluster is run by another process")
)

// Cluster is a running cluster. It is an [engine.Driver].
type Cluster struct {
	description *Description
	options     Options
	folder      string
	lock        *os.File
	// lifeline is a pipe that ends when this process does: the processes of the
	// cluster read it, and end then.
	lifeline, lifelineEnd *os.File
	pods                  []*pod
	links                 []*link
	// work waits for the goroutines of the cluster and of its links.
	work sync.WaitGroup
	// ctx ends when the cluster closes.
	ctx      context.Context
	stop     context.CancelFunc
	shutOnce func() error

	// mu gives one order to all that happens to faults, pods and processes.
	mu sync.Mutex
	// changed is closed, and another one made, when any of that changes.
	changed chan struct{}
	// faults are those that were applied and not removed, by their names.
	faults map[string]*applied
	// disturbed observes what happens to the pods beside them; nil is nobody.
	disturbed func(engine.Disturbance)
}

// Start starts the cluster and returns when all of its pods are ready. For one
// that another process runs the error is [ErrLocked]. Ctx ends the start only.
func Start(ctx context.Context, description *Description, options Options) (*Cluster, error) {
	options.ReadyWithin = cmp.Or(options.ReadyWithin, 30*time.Second)
	options.StopWithin = cmp.Or(options.StopWithin, 5*time.Second)
	lock, err := takeLock(description.File + ".lock")
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		description: description,
		options:     options,
		folder:      filepath.Dir(description.File),
		lock:        lock,
		changed:     make(chan struct{}),
		faults:      map[string]*applied{},
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.shutOnce = sync.OnceValue(c.shut)
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	var err error
	if c.lifeline, c.lifelineEnd, err = os.Pipe(); err != nil {
		return fmt.Errorf("make the processes' lifeline: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(c.folder, logs), 0o750); err != nil {
		return fmt.Errorf("make the folder for logs: %w", err)
	}
	for _, description := range c.description.Pods {
		pod, err := c.newPod(description)
		if err != nil {
			return err
		}
		c.pods = append(c.pods, pod)
	}
	for _, description := range c.description.Links {
		link, err := c.newLink(description)
		if err != nil {
			return err
		}
		c.links = append(c.links, link)
		if link.to == nil {
			err = link.open()
		}
		if err != nil {
			return err
		}
	}
	for _, pod := range c.pods {
		for _, name := range pod.After {
			if err := c.awaitReady(ctx, c.pod(name)); err != nil {
				return err
			}
		}
		// Nothing must answer that would be taken for the pod.
		if err := pod.CheckVacant(ctx, min(vacantWithin, c.options.ReadyWithin)); err != nil {
			return err
		}
		c.work.Go(pod.supervise)
	}
	for _, pod := range c.pods {
		if err := c.awaitReady(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// awaitReady waits until a pod is ready for the first time.
func (c *Cluster) awaitReady(ctx context.Context, pod *pod) error {
	limited, cancel := context.WithTimeout(ctx, c.options.ReadyWithin)
	defer cancel()
	err := c.wait(limited, func() bool { return pod.answered || pod.err != nil })
	switch {
	case err == nil:
		return pod.err
	case ctx.Err() != nil:
		return fmt.Errorf("wait for pod %s: %w", pod.Name, ctx.Err())
	}
	return withLog(fmt.Errorf("pod %s was not ready after %v: nothing answers at %s", pod.Name, c.options.ReadyWithin, pod.Ready), pod.log.Name())
}

// wait returns when done, which is called with the lock held, reports true,
// with the error of ctx when that ends before, or with [ErrClosed].
func (c *Cluster) wait(ctx context.Context, done func() bool) error {
	for {
		c.mu.Lock()
		over, changed := done(), c.changed
		c.mu.Unlock()
		switch {
		case c.ctx.Err() != nil:
			return ErrClosed
		case over:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ctx.Done():
		}
	}
}

func (c *Cluster) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Close stops everything of the cluster, the last pod first. Faults end without
// another moment. The error names the processes that had to be killed.
func (c *Cluster) Close() error { return c.shutOnce() }

func (c *Cluster) shut() error {
	c.mu.Lock()
	c.stop() // no process is started, and no moment observed, after this
	clear(c.faults)
	c.mu.Unlock()
	// What is held stays unsent: the cluster ends as if it had been cut off.
	for _, link := range c.links {
		link.dropHeld()
	}
	var errs []error
	for _, pod := range slices.Backward(c.pods) {
		c.mu.Lock()
		process := pod.current
		c.mu.Unlock()
		if process != nil && process.stop(c.options.StopWithin) {
			errs = append(errs, fmt.Errorf("pod %s did not stop within %v and was killed", pod.Name, c.options.StopWithin))
		}
	}
	for _, link := range c.links {
		link.close()
	}
	c.work.Wait()
	for _, pod := range c.pods {
		pod.log.Close()
	}
	for _, file := range []*os.File{c.lifelineEnd, c.lifeline, c.lock} {
		file.Close() // one that is nil refuses
	}
	return errors.Join(errs...)
}

func (c *Cluster) pod(name string) *pod {
	if at := slices.IndexFunc(c.pods, func(p *pod) bool { return p.Name == name }); at >= 0 {
		return c.pods[at]
	}
	return nil
}

// takeLock locks the file until it is closed. The lock ends with this process
// however that ends: its children do not inherit the file.
func takeLock(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, refuse("", fmt.Sprintf("open the cluster's lock file: %v", err), "run it as the user whose folder "+filepath.Dir(name)+" is, or copy the folder")
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		owner, _ := os.ReadFile(name)
		err = fmt.Errorf("%w: process %s holds it; wait for it or end it", ErrLocked, document.Shown(string(owner)))
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return file, nil
}
