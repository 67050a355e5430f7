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

// child is the plugin's process as go-plugin wants to have it. It leads a
// process group of its own: Ctrl-C reaches this process alone, which then has
// the plugin clean up; and what the plugin started ends with it.
type child struct {
	command  *exec.Cmd
	lifeline *os.File
	sockets  string

	stdout, stderr *os.File
	// first and last are what it printed first, and what it said last.
	first beginning
	last  ending

	mu      sync.Mutex
	started bool
	killed  bool
	reaped  bool
	// gone is closed when the process has ended; state may be read then.
	gone  chan struct{}
	state string
}

func newChild(path string, env []string, lifeline *os.File) *child {
	command := exec.Command(path)
	command.Env = env
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &child{command: command, lifeline: lifeline, gone: make(chan struct{})}
}

// as is the child as go-plugin's runner. Of specified only the environment is
// of use; sockets is a folder for the plugin's.
func (c *child) as(_ hclog.Logger, specified *exec.Cmd, sockets string) (runner.Runner, error) {
	c.sockets = sockets
	c.command.Env = append(c.command.Env, specified.Env...)
	return c, nil
}

// Start starts the process.
func (c *child) Start(context.Context) error {
	stdout, stdoutWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdoutWrite.Close()
	stderr, stderrWrite, err := os.Pipe()
	if err != nil {
		stdout.Close()
		return err
	}
	defer stderrWrite.Close()
	c.stdout, c.stderr = stdout, stderr
	c.command.Stdout, c.command.Stderr = stdoutWrite, stderrWrite
	c.command.ExtraFiles = []*os.File{c.lifeline} // becomes 3
	c.command.Env = append(c.command.Env, sdk.Lifeline+"=3")

	c.mu.Lock()
	defer c.mu.Unlock()
	if c.killed {
		return errors.New("there was no time left to start it")
	}
	if err := c.command.Start(); err != nil {
		return err
	}
	c.started = true
	go c.await()
	return nil
}

// await ends with the process.
func (c *child) await() {
	for {
		// The process stays a zombie, and its number its own, until it is
		// reaped below.
		err := unix.Waitid(unix.P_PID, c.command.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	_ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL) // whatever it left behind
	_ = c.command.Wait()                                      // its state says all
	c.reaped = true
	c.mu.Unlock()
	c.state = c.command.ProcessState.String()
	// What left the group may hold the pipes open.
	deadline := time.Now().Add(goneLimit)
	_ = c.stdout.SetReadDeadline(deadline)
	_ = c.stderr.SetReadDeadline(deadline)
	close(c.gone)
}

// kill ends the process and what it started, or keeps it from starting.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killed = true
	if c.started && !c.reaped {
		_ = syscall.Kill(-c.command.Process.Pid, syscall.SIGKILL)
	}
}

// end waits for the process, if it ever started, and takes back what it had.
func (c *child) end() {
	c.mu.Lock()
	started := c.started
	c.mu.Unlock()
	if started {
		c.kill()
		<-c.gone
	} else {
		close(c.gone)
	}
	for _, pipe := range []*os.File{c.stdout, c.stderr} {
		if pipe != nil {
			pipe.Close()
		}
	}
	c.removeSockets()
}

// removeSockets removes the folder of the plugin's socket. A connection that
// is open does not need it, and a killed process cannot remove it.
func (c *child) removeSockets() {
	if c.sockets != "" {
		_ = os.RemoveAll(c.sockets)
	}
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started {
		return 0
	}
	return c.command.Process.Pid
}

// Kill ends the process.
func (c *child) Kill(context.Context) error {
	c.kill()
	return nil
}

// Wait returns when the process has ended.
func (c *child) Wait(context.Context) error {
	<-c.gone
	if c.command.ProcessState.Success() {
		return nil
	}
	return errors.New(c.state)
}

// Stdout is what the process prints.
func (c *child) Stdout() io.ReadCloser { return keeping{c.stdout, &c.first} }

// Stderr is what the process says.
func (c *child) Stderr() io.ReadCloser { return keeping{c.stderr, &c.last} }

// Name is the path of the binary.
func (c *child) Name() string { return c.command.Path }

// ID is empty as long as there is no process.
func (c *child) ID() string {
	if pid := c.pid(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// Diagnose has nothing to add: what went wrong is told by this package.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost changes nothing: both are on one machine.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin changes nothing.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// keeping passes on what is read, and keeps some of it.
type keeping struct {
	from *os.File
	in   io.Writer
}

func (k keeping) Read(data []byte) (int, error) {
	n, err := k.from.Read(data)
	_, _ = k.in.Write(data[:n])
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, os.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

// Close does nothing: the child closes its pipes.
func (k keeping) Close() error { return nil }

// keptWords are how many bytes of a process's words are kept for an error.
const keptWords = 1 << 10

// beginning keeps the first bytes that are written to it.
type beginning struct {
	mu   sync.Mutex
	kept []byte
}

func (b *beginning) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = append(b.kept, data[:min(len(data), keptWords-len(b.kept))]...)
	return len(data), nil
}

// line is the first line.
func (b *beginning) line() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	line, _, _ := strings.Cut(string(b.kept), "\n")
	return strings.TrimSpace(line)
}

// ending keeps the last bytes that are written to it.
type ending struct {
	mu   sync.Mutex
	kept []byte
}

func (e *ending) Write(data []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = append(e.kept, data[max(0, len(data)-keptWords):]...)
	e.kept = e.kept[max(0, len(e.kept)-keptWords):]
	return len(data), nil
}

// words are what was said last, in one line and quoted; empty for nothing.
func (e *ending) words() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := strings.TrimSpace(strings.ToValidUTF8(string(e.kept), "?"))
	if text == "" {
		return ""
	}
	return fmt.Sprintf("; its last words: %q", shortened(text))
}

// shortened keeps a stranger's words within a few lines.
func shortened(text string) string {
	const most = 300
	if len(text) <= most {
		return text
	}
	return "…" + strings.ToValidUTF8(text[len(text)-most:], "")
}
