package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"
)

// child is the plugin's process in the form that go-plugin wants. It leads a
// process group of its own: Ctrl-C reaches this process alone, which then has
// the plugin clean up; and what the plugin started ends with it.
type child struct {
	command *exec.Cmd
	sockets string
	// lifeline is the write end of a pipe: the plugin reads its end when this
	// process closes it or is gone.
	lifeline, stdout, stderr *os.File
	// printed and logged are parts of what it wrote to stdout and to stderr.
	printed, logged excerpt

	mu     sync.Mutex
	killed bool          // it is not started any more
	gone   chan struct{} // closed when the process has ended
}

var _ runner.Runner = (*child)(nil)

func newChild(path string, env []string) *child {
	command := exec.Command(path)
	command.Env = append(env, sdk.Lifeline+"=3")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &child{command: command, gone: make(chan struct{})}
}

// runner returns the child as go-plugin's runner. Only the environment of
// specified is of use; sockets is a folder for the plugin's.
func (c *child) runner(_ hclog.Logger, specified *exec.Cmd, sockets string) (runner.Runner, error) {
	c.sockets = sockets
	c.command.Env = append(c.command.Env, specified.Env...)
	return c, nil
}

// Start starts the process.
func (c *child) Start(context.Context) error {
	stdout, stdoutWrite, stdoutErr := os.Pipe()
	stderr, stderrWrite, stderrErr := os.Pipe()
	lifelineRead, lifeline, lifelineErr := os.Pipe()
	defer closeAll(stdoutWrite, stderrWrite, lifelineRead)
	c.stdout, c.stderr, c.lifeline = stdout, stderr, lifeline
	if err := errors.Join(stdoutErr, stderrErr, lifelineErr); err != nil {
		return err
	}
	c.command.Stdout, c.command.Stderr = stdoutWrite, stderrWrite
	c.command.ExtraFiles = []*os.File{lifelineRead} // becomes 3

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return errors.New("there was no time left to start it")
	}
	if err := c.command.Start(); err != nil {
		return err
	}
	go c.await()
	return nil
}

func (c *child) await() {
	// The process stays a zombie, and its number its own, until it is reaped
	// below.
	for unix.Waitid(unix.P_PID, c.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	c.mu.Lock()
	_ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL) // what it started
	_ = c.command.Wait()                                      // the state has all that it returns
	c.mu.Unlock()
	// What left the group may hold the pipes open.
	for _, pipe := range []*os.File{c.stdout, c.stderr} {
		_ = pipe.SetReadDeadline(time.Now().Add(goneLimit))
	}
	close(c.gone)
}

// kill ends the process and what it started, or keeps it from starting.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	// Once it is reaped, its number may belong to another process.
	if c.command.Process != nil && c.command.ProcessState == nil {
		_ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL)
	}
}

// end kills the process, waits for it, and releases its resources.
func (c *child) end() {
	c.kill()
	if c.pid() == 0 {
		close(c.gone)
	}
	<-c.gone
	closeAll(c.lifeline, c.stdout, c.stderr)
	c.removeSockets()
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		_ = file.Close() // one that is nil refuses
	}
}

// removeSockets removes the folder of the plugin's socket, if there is one. A
// connection that is open does not need it, and a killed host cannot remove it.
func (c *child) removeSockets() { _ = os.RemoveAll(c.sockets) }

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command.Process == nil {
		return 0
	}
	return c.command.Process.Pid
}

// Wait returns when the process has ended.
func (c *child) Wait(context.Context) error {
	<-c.gone
	if c.command.ProcessState.Success() {
		return nil
	}
	return errors.New(c.command.ProcessState.String())
}

// The rest of the runner. Both processes are on one machine, and the errors of
// this package explain what went wrong.

func (c *child) Kill(context.Context) error      { c.kill(); return nil }
func (c *child) Stdout() io.ReadCloser           { return io.NopCloser(io.TeeReader(c.stdout, &c.printed)) }
func (c *child) Stderr() io.ReadCloser           { return io.NopCloser(io.TeeReader(c.stderr, &c.logged)) }
func (c *child) Name() string                    { return c.command.Path }
func (c *child) Diagnose(context.Context) string { return "" }

func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// ID is empty as long as there is no process.
func (c *child) ID() string {
	if pid := c.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// excerptLimit is how many bytes an excerpt has at its beginning and its end.
const excerptLimit = 1 << 10

// excerpt keeps the beginning and the end of a text.
type excerpt struct {
	mu          sync.Mutex
	first, last []byte
}

func (e *excerpt) Write(data []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.first = append(e.first, data[:min(len(data), excerptLimit-len(e.first))]...)
	e.last = append(e.last, data[max(0, len(data)-excerptLimit):]...)
	e.last = e.last[max(0, len(e.last)-excerptLimit):]
	return len(data), nil
}

func (e *excerpt) firstLine() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	line, _, _ := strings.Cut(string(e.first), "\n")
	return strings.TrimSpace(line)
}

// lastWords quotes the end in one line, as a clause of an error; it is empty
// when nothing was written.
func (e *excerpt) lastWords() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if text := strings.TrimSpace(strings.ToValidUTF8(string(e.last), "?")); text != "" {
		return fmt.Sprintf("; its last words: %q", ending(text))
	}
	return ""
}

func ending(text string) string {
	const limit = 300
	if len(text) <= limit {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-limit:], "")
}
