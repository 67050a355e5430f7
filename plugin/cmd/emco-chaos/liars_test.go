package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// liar is a driver that says of some faults that they did what they should,
// and does something else, or nothing.
type liar struct {
	engine.Driver
	// aimed says which faults are those of the experiment, and honest which it really
	// puts on: those that are not aimed if it is nil.
	aimed, honest func(fault.Object) bool
	// ready is how long after the lie about down comes the one about ready.
	ready time.Duration
	// instead is what it does at the moment of the lie; may be nil. Beside is what
	// it does when it puts on a fault that is aimed, and before when the steps begin.
	instead, beside, before func()

	mu  sync.Mutex
	lie map[string]func(engine.Moment)
	all sync.WaitGroup
}

func (l *liar) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	aimed := l.aimed(object)
	if l.beside != nil && aimed {
		l.beside()
	}
	if l.honest == nil && !aimed || l.honest != nil && l.honest(object) {
		return l.Driver.Apply(ctx, object, observe)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lie == nil {
		l.lie = map[string]func(engine.Moment){}
	}
	l.lie[object.GetName()] = observe
	tell := func(event string) { observe(engine.Moment{Event: event, At: time.Now(), Detail: "a lie"}) }
	tell(plan.Created)
	if l.instead != nil {
		l.instead()
	}
	tell(plan.Injected)
	if _, stops := object.(*v1alpha1.PodChaos); stops {
		tell(plan.Down)
		l.all.Go(func() {
			pause(context.Background(), l.ready)
			tell(plan.Ready)
		})
	}
	return nil
}

func (l *liar) Remove(ctx context.Context, object fault.Object) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if observe, lied := l.lie[object.GetName()]; lied {
		delete(l.lie, object.GetName())
		observe(engine.Moment{Event: plan.Removed, At: time.Now(), Detail: "a lie"})
		return nil
	}
	return l.Driver.Remove(ctx, object)
}

// Watch tells the truth, after what the liar does before.
func (l *liar) Watch(ctx context.Context, observe func(engine.Disturbance)) error {
	if l.before != nil {
		l.all.Go(func() {
			pause(ctx, 20*time.Millisecond)
			l.before()
		})
	}
	return l.Driver.(*run.Target).Driver.(engine.Watcher).Watch(ctx, observe)
}

// killed kills the process of a service of the emulated EMCO, as somebody else
// on this machine would.
func killed(t *testing.T, target *target.Target, service string) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(filepath.Dir(target.Driver.Local.Cluster))
	if err != nil {
		t.Error(err)
	}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, _ := os.ReadFile(file)
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		words := strings.Split(string(command), "\x00")
		in, _ := os.Readlink(filepath.Join(filepath.Dir(file), "cwd"))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(os.Getpid()) || in != folder || !slices.Contains(words, service) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
		return
	}
	t.Errorf("no process of %s", service)
}

func nothing(fault.Object) bool { return false }

func everything(fault.Object) bool { return true }

// aimedBy says which faults are those that a plan is about: those that stop
// something, which others hold a call for, or all if none does.
func aimedBy(p *plan.Plan) func(fault.Object) bool {
	if len(stopped(p)) == 0 {
		return everything
	}
	return func(object fault.Object) bool { return !holds(object) }
}

func holds(object fault.Object) bool {
	_, hold := object.(*v1alpha1.NetworkChaos)
	return hold
}

// cutter is a proxy in front of a service whose connections can be cut.
type cutter struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	open     map[net.Conn]bool
	all      sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: listener, to: to, open: map[net.Conn]bool{}}
	c.all.Go(c.serve)
	t.Cleanup(func() { listener.Close(); c.cut(); c.all.Wait() })
	return c
}

func (c *cutter) serve() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.to)
		if err != nil {
			client.Close()
			continue
		}
		c.mu.Lock()
		c.open[client], c.open[server] = true, true
		c.mu.Unlock()
		c.all.Go(func() { c.pass(client, server) })
		c.all.Go(func() { c.pass(server, client) })
	}
}

func (c *cutter) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, to)
	delete(c.open, from)
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for connection := range c.open {
		connection.Close()
	}
}

// inFrontOf puts a cutter in front of each of the target's services.
func inFrontOf(t *testing.T, target *target.Target) (cut func()) {
	t.Helper()
	var cutters []*cutter
	for name, service := range target.Services {
		if service.URL == "" {
			continue
		}
		parsed, err := url.Parse(service.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := newCutter(t, parsed.Host)
		cutters = append(cutters, c)
		service.URL = "http://" + c.listener.Addr().String()
		target.Services[name] = service
	}
	return func() {
		for _, c := range cutters {
			c.cut()
		}
	}
}

// hopeless are parameters that make the waits of hopeless probes shorter.
func hopeless(experiment string) []string {
	switch {
	case strings.HasSuffix(experiment, "-in-flight"):
		// The client's patience ends before that of the one who looks.
		return []string{"delay=200ms", "patience=2s", "refused=10s"}
	case strings.HasSuffix(experiment, "-edge-unreachable"):
		return nil
	case experiment == "etcd-restart" || experiment == "mongo-restart":
		return []string{"down=2s"}
	}
	return []string{"refused=2s"}
}

// TestLyingDrivers: a driver that does not do what it says must never bring
// about a Passed or a Failed. What it says is evidence, and so is what the
// client sees from outside.
func TestLyingDrivers(t *testing.T) {
	liars := map[string]func(*testing.T, *target.Target, engine.Driver) *liar{
		bystander: func(_ *testing.T, _ *target.Target, real engine.Driver) *liar {
			return &liar{Driver: real, honest: everything}
		},
		tooEarly: func(_ *testing.T, _ *target.Target, real engine.Driver) *liar {
			return &liar{Driver: real, ready: 500 * time.Millisecond}
		},
		"reports everything and does nothing": func(_ *testing.T, _ *target.Target, real engine.Driver) *liar {
			return &liar{Driver: real, honest: nothing, ready: 500 * time.Millisecond}
		},
		timesOut: func(_ *testing.T, _ *target.Target, real engine.Driver) *liar {
			// Ready comes after the client's patience is over.
			return &liar{Driver: real, ready: 4 * time.Second}
		},
		"cuts the client's connection, and kills nothing": func(t *testing.T, target *target.Target, real engine.Driver) *liar {
			return &liar{Driver: real, ready: 500 * time.Millisecond, instead: inFrontOf(t, target)}
		},
	}
	for name, lies := range liars {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSession(t)
			target := readTarget(t, emulated(t))
			driver := lies(t, target, driven(t, target))
			t.Cleanup(driver.all.Wait)
			for _, experiment := range experiments.Names() {
				t.Run(experiment, func(t *testing.T) {
					p := compiled(t, s, target, experiment, hopeless(experiment)...)
					driver.aimed = aimedBy(p)
					victims := stopped(p)
					switch name {
					case tooEarly:
						// Where nothing is stopped the fault is on rsync.
						driver.before = func() { killed(t, target, append(victims, "rsync")[0]) }
					case bystander:
						service := "rsync"
						if slices.Contains(victims, service) {
							service = "mongo"
						}
						driver.beside = sync.OnceFunc(func() { killed(t, target, service) })
					}
					outcome, records := runWith(t, s, target, driver, p)
					if outcome.Verdict != verdict.Inconclusive {
						t.Errorf("%s: %s", outcome.Verdict, outcome.Reason)
					}
					if len(outcome.Left) > 0 {
						t.Errorf("left: %v", outcome.Left)
					}
					if name == timesOut && strings.HasSuffix(experiment, "-in-flight") && !strings.Contains(outcome.Reason, "timeout") {
						t.Errorf("the client's own timeout is not the reason: %s\n%s", outcome.Reason, records)
					}
					t.Log(outcome.Reason)
				})
			}
		})
	}
}

// flushed is a driver whose holds are off after a while, of which it tells
// nothing: somebody flushed the rules in the pod.
type flushed struct {
	engine.Driver
	after time.Duration
	all   sync.WaitGroup
	mu    sync.Mutex
	gone  map[string]func(engine.Moment)
}

func (f *flushed) Apply(ctx context.Context, object fault.Object, observe func(engine.Moment)) error {
	if !holds(object) {
		return f.Driver.Apply(ctx, object, observe)
	}
	return f.Driver.Apply(ctx, object, func(m engine.Moment) {
		switch m.Event {
		case plan.Injected:
			f.all.Go(func() {
				pause(context.Background(), f.after)
				f.mu.Lock()
				defer f.mu.Unlock()
				f.gone[object.GetName()] = observe
				_ = f.Driver.Remove(context.Background(), object)
			})
		case plan.Removed:
			return
		}
		observe(m)
	})
}

func (f *flushed) Remove(ctx context.Context, object fault.Object) error {
	f.mu.Lock()
	observe := f.gone[object.GetName()]
	delete(f.gone, object.GetName())
	f.mu.Unlock()
	err := f.Driver.Remove(ctx, object)
	if observe != nil {
		observe(engine.Moment{Event: plan.Removed, At: time.Now()})
	}
	return err
}

// TestFlushed: a call that a hold holds for a while only is told as such.
func TestFlushed(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	target := readTarget(t, emulated(t))
	driver := &flushed{Driver: driven(t, target), after: 500 * time.Millisecond, gone: map[string]func(engine.Moment){}}
	t.Cleanup(driver.all.Wait)
	// The kill waits longer than the released call takes on a slow machine.
	p := compiled(t, s, target, "dig-instantiate-in-flight", "delay=30s")
	outcome, records := runWith(t, s, target, driver, p)
	if outcome.Verdict != verdict.Inconclusive || !strings.HasPrefix(outcome.Reason, "instantiate: the hold held nothing, or no longer: it was answered (dig.instantiate: 202 Accepted) after ") {
		t.Errorf("%s: %s\n%s", outcome.Verdict, outcome.Reason, records)
	}
}

// timesOut is the liar that only the client's own timeout gives away.
const timesOut = "holds, and kills nothing"

// bystander is the liar that does as it is told, and more.
const bystander = "kills a bystander too"

// tooEarly is the liar that kills the right pod, but before the call.
const tooEarly = "kills the right pod, but before the call"

// stopped are the services that a plan's faults stop, in the order of its steps.
func stopped(p *plan.Plan) (services []string) {
	for _, step := range p.Steps {
		if step.Fault != nil && step.Fault.Stops() {
			services = append(services, step.Fault.Summary[strings.LastIndexByte(step.Fault.Summary, ' ')+1:])
		}
	}
	return services
}

// driven starts the target's own driver.
func driven(t *testing.T, target *target.Target) engine.Driver {
	t.Helper()
	driver, err := run.Open(t.Context(), target, func(text string) { t.Log(text) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	return driver
}

// runWith runs a plan once with a driver of the test's.
func runWith(t *testing.T, s *session, target *target.Target, driver engine.Driver, p *plan.Plan) (engine.Outcome, string) {
	t.Helper()
	plugin, err := s.start(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer plugin.Close()
	data, err := json.Marshal(target)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	outcome := engine.Run(t.Context(), engine.Config{
		Run: run.NewName(), Plan: p, Target: data, Driver: driver, Plugin: plugin, Attempts: 1, Settle: 5 * time.Second, Journal: journal.New(&out),
		Restart: func(context.Context) (engine.Plugin, error) { return s.start(t.Context(), target) },
	})
	return outcome, out.String()
}
