package host_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	goplugin "github.com/hashicorp/go-plugin"
)

func contextWithin(t *testing.T, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), limit)
}

// listenAndSay says that this is a plugin, and accepts connections without
// answering on any.
func listenAndSay() {
	listener, err := net.Listen("unix", filepath.Join(os.Getenv(goplugin.EnvUnixSocketDir), "deaf"))
	if err != nil {
		os.Exit(2)
	}
	_, _ = io.WriteString(os.Stdout, "1|1|unix|"+listener.Addr().String()+"|grpc|\n")
	for {
		connection, err := listener.Accept()
		if err != nil {
			os.Exit(2)
		}
		go func() { _, _ = io.Copy(io.Discard, connection) }()
	}
}

func init() {
	die := func(ctx context.Context) {
		_, _ = io.WriteString(os.Stderr, "out of luck\n")
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		<-ctx.Done()
	}
	programs["dies"] = func() {
		sdk.Serve(scripted{
			describe: func(ctx context.Context) (sdk.Description, error) { die(ctx); return sdk.Description{}, nil },
			compile:  func(ctx context.Context, _ sdk.Source) (*plan.Plan, error) { die(ctx); return nil, nil },
			run:      func(ctx context.Context, _ sdk.Task, _ sdk.Observer) sdk.Result { die(ctx); return sdk.Result{} },
		})
	}
	programs["panics"] = func() {
		sdk.Serve(scripted{
			describe: func(context.Context) (sdk.Description, error) { panic("no luck at all") },
		})
	}
	programs["hangs"] = func() {
		sdk.Serve(scripted{
			describe: func(context.Context) (sdk.Description, error) { select {} },
			compile:  func(context.Context, sdk.Source) (*plan.Plan, error) { select {} },
		})
	}
	programs["tells-env"] = func() {
		sdk.Serve(scripted{describe: func(context.Context) (sdk.Description, error) {
			description := sdk.Description{Name: "tells-env"}
			for _, variable := range os.Environ() {
				description.Experiments = append(description.Experiments, sdk.Experiment{Name: variable})
			}
			return description, nil
		}})
	}
	programs["says"] = func() {
		sdk.Serve(scripted{describe: func(context.Context) (sdk.Description, error) {
			line := strings.Repeat("s", 1023) + "\n"
			for range 4 << 10 {
				_, _ = io.WriteString(os.Stderr, line)
			}
			return sdk.Description{Name: "says"}, nil
		}})
	}
}

// asks are the three questions of the contract.
var asks = map[string]func(ctx context.Context, p *host.Process) error{
	"Describe": func(ctx context.Context, p *host.Process) error { _, err := p.Describe(ctx); return err },
	"Compile": func(ctx context.Context, p *host.Process) error {
		_, err := p.Compile(ctx, sdk.Source{Experiment: "one"})
		return err
	},
	"Run": func(ctx context.Context, p *host.Process) error {
		_, err := p.Run(ctx, sdk.Task{Run: "r", Attempt: 1, Activity: "probe"}, &watcher{})
		return err
	},
}

func TestDies(t *testing.T) {
	t.Parallel()
	for name, ask := range asks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := started(t, "dies")
			err := ask(t.Context(), process)
			if !errors.Is(err, host.ErrDied) {
				t.Errorf("the error is not ErrDied")
			}
			says(t, err, "signal: killed")
			select {
			case <-process.Gone():
			default:
				t.Error("the plugin is not gone")
			}
			// What is asked later gets the same answer.
			if err := ask(t.Context(), process); !errors.Is(err, host.ErrDied) {
				t.Errorf("later: %v", err)
			}
		})
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	var told bytes.Buffer
	process := started(t, "panics", func(o *host.Options) { o.Log = &told })
	_, err := process.Describe(t.Context())
	if !errors.Is(err, host.ErrDied) {
		t.Errorf("the error is not ErrDied")
	}
	says(t, err, "exit status 2")
	process.Close()
	if strings.Contains(told.String(), "[ERROR]") {
		t.Errorf("lines of go-plugin's own reach the user:\n%s", &told)
	}
}

func TestHangs(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Describe", "Compile"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			process := started(t, "hangs", func(o *host.Options) { o.AnswerLimit = 500 * time.Millisecond })
			err := asks[name](t.Context(), process)
			if !errors.Is(err, host.ErrHangs) {
				t.Errorf("the error is not ErrHangs")
			}
			says(t, err, "has not answered for 500ms", "look at what it waits for")
			begun := time.Now()
			process.Close()
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %v to end it", took)
			}
			// The caller's own end is not the plugin's fault.
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := asks[name](ctx, started(t, "hangs")); errors.Is(err, host.ErrHangs) || err == nil {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

// TestStopped: a plugin whose process is stopped is ended all the same.
func TestStopped(t *testing.T) {
	t.Parallel()
	process := started(t, "contract-1-and-2")
	if err := syscall.Kill(process.PID(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	process.Close()
	if took := time.Since(begun); took > 40*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("EMCO_CHAOS_CANARY", "secret")
	t.Setenv("EMCO_CHAOS_NAMED", "wanted")
	process := started(t, "tells-env", func(o *host.Options) { o.Env = []string{"EMCO_CHAOS_NAMED", "EMCO_CHAOS_UNSET"} })
	description, err := process.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, experiment := range description.Experiments {
		name, value, _ := strings.Cut(experiment.Name, "=")
		names = append(names, name)
		if name == "EMCO_CHAOS_NAMED" && value != "wanted" {
			t.Errorf("the named variable is %q", value)
		}
		if strings.Contains(value, "secret") {
			t.Errorf("%s has the host's secret", name)
		}
	}
	slices.Sort(names)
	want := []string{
		"EMCO_CHAOS_LIFELINE", "EMCO_CHAOS_NAMED", sdk.Handshake.MagicCookieKey,
		// What go-plugin has to tell.
		"PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the plugin's environment is %q, want %q", names, want)
	}
}

// TestLog: what a plugin says is passed on, up to a limit.
func TestLog(t *testing.T) {
	t.Parallel()
	log := &counted{}
	process := started(t, "says", func(o *host.Options) { o.Log = log })
	if _, err := process.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	process.Close()
	if n := log.size(); n < 64<<10 || n > 2<<20 {
		t.Errorf("%d bytes were passed on", n)
	}
}

type counted struct {
	mu sync.Mutex
	n  int
}

func (c *counted) Write(data []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += len(data)
	return len(data), nil
}

func (c *counted) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestNothingIsLeft: after the end of plugins of every kind there is no open
// file, no goroutine, no socket, no process more than before.
func TestNothingIsLeft(t *testing.T) {
	sockets := t.TempDir()
	t.Setenv("TMPDIR", sockets)
	once := func() {
		for _, name := range []string{"contract-1-and-2", "contract-2", "talks", "complains", "lies"} {
			process, err := host.Start(t.Context(), host.Options{Path: binary(t, name)})
			if err != nil {
				continue
			}
			process.Close()
		}
		if _, err := host.Start(t.Context(), host.Options{Path: filepath.Join(sockets, "nothing")}); err == nil {
			t.Error("started nothing")
		}
		if _, err := host.Start(t.Context(), host.Options{Path: binary(t, "silent"), StartLimit: 200 * time.Millisecond}); err == nil {
			t.Error("started a silent one")
		}
		killed, err := host.Start(t.Context(), host.Options{Path: binary(t, "contract-1-and-2")})
		if err != nil {
			t.Fatal(err)
		}
		if names := entries(t, sockets); slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "plugin-dir") }) {
			t.Errorf("a running plugin's socket has a name still: %q", names)
		}
		if err := syscall.Kill(killed.PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-killed.Gone()
		killed.Close()
	}
	once()
	files, goroutines := entries(t, "/proc/self/fd"), runtime.NumGoroutine()
	for range 3 {
		once()
	}
	// Those of gRPC end a little after they were told to.
	ctx, cancel := contextWithin(t, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && (runtime.NumGoroutine() > goroutines || len(entries(t, "/proc/self/fd")) > len(files)) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if n := runtime.NumGoroutine(); n > goroutines {
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", n, goroutines, stacks[:runtime.Stack(stacks, true)])
	}
	if now := entries(t, "/proc/self/fd"); len(now) > len(files) {
		t.Errorf("%d open files, %d before", len(now), len(files))
	}
	if names := entries(t, sockets); slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, "plugin") }) {
		t.Errorf("left in the temporary folder: %q", names)
	}
}

func entries(t *testing.T, folder string) []string {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(list))
	for i, entry := range list {
		names[i] = entry.Name()
	}
	return names
}
