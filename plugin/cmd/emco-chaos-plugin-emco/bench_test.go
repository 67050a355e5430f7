package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// pluginName is the name under which the test binary is the plugin.
const pluginName = host.Prefix + "emco"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == pluginName {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// BenchmarkByteToApply measures from the moment that the last byte of a real
// call to EMCO has arrived at the service to the call of the driver that the
// call's event sent triggers: through the client, the plugin's process and
// the engine.
func BenchmarkByteToApply(b *testing.B) {
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), pluginName)
	if err := os.Symlink(self, path); err != nil {
		b.Fatal(err)
	}
	process, err := host.Start(b.Context(), host.Options{Path: path, Log: b.Output()})
	if err != nil {
		b.Fatal(err)
	}
	defer process.Close()

	service := newService(b)
	target := &target.Target{Name: "bench", Services: map[string]target.Service{"orchestrator": {
		URL: "http://" + service.listener.Addr().String(), Namespace: "emco", Labels: map[string]string{"app": "orchestrator"},
	}}}
	wire, err := json.Marshal(target)
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join("testdata", "bench.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	compiled, err := process.Compile(b.Context(), sdk.Source{File: "bench.yaml", Text: file, Target: wire})
	if err != nil {
		b.Fatal(err)
	}
	// There is nothing to set up: the service accepts every call.
	compiled.Given, compiled.Teardown = plan.Step{Name: plan.GivenStep}, plan.Step{Name: plan.TeardownStep}

	driver := &clockDriver{}
	watched := &watchedPlugin{Process: process}
	var whole, client, inside times
	for b.Loop() {
		outcome := engine.Run(b.Context(), engine.Config{
			Run: "bench", Plan: compiled, Target: wire, Driver: driver, Plugin: watched, Journal: journal.New(io.Discard),
		})
		if outcome.Verdict != "Passed" {
			b.Fatalf("%s: %s", outcome.Verdict, outcome.Reason)
		}
		arrived := service.last()
		whole.add(driver.applied.Sub(arrived))
		client.add(watched.received.Sub(arrived))
		inside.add(driver.applied.Sub(watched.received))
	}
	whole.report(b, "")
	client.report(b, "to-host-")
	inside.report(b, "in-engine-")
}

// service accepts every call, and notes when the last byte of one arrived.
type service struct {
	listener net.Listener
	mu       sync.Mutex
	arrived  time.Time
}

func newService(b *testing.B) *service {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &service{listener: listener}
	var work sync.WaitGroup
	b.Cleanup(func() { listener.Close(); work.Wait() })
	work.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			work.Go(func() { s.serve(connection) })
		}
	})
	return s
}

// serve answers one request.
func (s *service) serve(connection net.Conn) {
	defer connection.Close()
	request, err := http.ReadRequest(bufio.NewReader(connection))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, request.Body); err != nil {
		return
	}
	now := time.Now()
	s.mu.Lock()
	s.arrived = now
	s.mu.Unlock()
	_, _ = io.WriteString(connection, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

func (s *service) last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
}

// watchedPlugin notes when the host has the event sent.
type watchedPlugin struct {
	*host.Process
	received time.Time
}

func (w *watchedPlugin) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	return w.Process.Run(ctx, task, &watchedEvents{observer, w})
}

type watchedEvents struct {
	sdk.Observer
	plugin *watchedPlugin
}

func (w *watchedEvents) Event(name string, at time.Time, detail map[string]string) {
	if name == "sent" {
		w.plugin.received = time.Now()
	}
	w.Observer.Event(name, at, detail)
}

// clockDriver notes when it is asked for a fault, and does nothing.
type clockDriver struct{ applied time.Time }

func (d *clockDriver) Apply(_ context.Context, _ fault.Object, observe func(engine.Moment)) error {
	d.applied = time.Now()
	for _, event := range []string{plan.Created, plan.Injected, plan.Down, plan.Ready} {
		observe(engine.Moment{Event: event, At: time.Now()})
	}
	return nil
}

func (d *clockDriver) Remove(context.Context, fault.Object) error { return nil }

func (d *clockDriver) Leftovers(context.Context) ([]fault.Object, error) { return nil, nil }

// times are many measurements of one thing.
type times []time.Duration

func (t *times) add(one time.Duration) { *t = append(*t, one) }

func (t times) report(b *testing.B, name string) {
	slices.Sort(t)
	for _, share := range []int{50, 99} {
		at := t[(len(t)-1)*share/100]
		b.ReportMetric(float64(at.Nanoseconds())/1e3, name+map[int]string{50: "p50-µs", 99: "p99-µs"}[share])
	}
}
