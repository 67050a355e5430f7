package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// process is one process of a pod, the leader of a process group of its own.
type process struct {
	pid     int
	command *exec.Cmd
	// gone is closed when the process and its group have gone; what stands
	// below it may be read then.
	gone chan struct{}
	at   time.Time
	end  string
	// stopped: somebody stopped it by a signal once; see [Cluster.Watch].
	stopped bool

	mu     sync.Mutex
	reaped bool // the process's number may belong to another one
	killed bool // it was sent SIGKILL
}

// run starts a process. The caller must call wait.
func run(arguments []string, folder string, environment []string, log, lifeline *os.File) (*process, error) {
	command := exec.Command(arguments[0], arguments[1:]...)
	command.Dir = folder
	command.Env = environment
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{lifeline} // becomes 3
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	return &process{pid: command.Process.Pid, command: command, gone: make(chan struct{})}, nil
}

func environment(own map[string]string) []string {
	var list []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, set := os.LookupEnv(name); set {
			list = append(list, name+"="+value)
		}
	}
	for name, value := range own {
		list = append(list, name+"="+value)
	}
	// Of two values of a variable the last one counts.
	return append(list, sdk.Lifeline+"=3")
}

// wait returns when nothing is left of the process and its group.
func (p *process) wait() {
	// The process stays a zombie, and its number its own, until it is reaped below.
	for errors.Is(unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.mu.Lock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // whatever it left behind
	_ = p.command.Wait()                      // its state has everything
	p.reaped = true
	p.mu.Unlock()
	awaitGroup(p.pid)
	p.at = time.Now()
	p.end = p.command.ProcessState.String()
	close(p.gone)
}

// signal signals the group, and reports whether it was still there.
func (p *process) signal(signal syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || syscall.Kill(-p.pid, signal) != nil {
		return false
	}
	p.killed = p.killed || signal == syscall.SIGKILL
	return true
}

// dying reports whether the process was killed or has ended.
func (p *process) dying() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.killed || p.reaped
}

// stop asks the process to stop, kills it after limit, and waits for its end.
func (p *process) stop(limit time.Duration) (killed bool) {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.gone:
	case <-time.After(limit):
		killed = p.signal(syscall.SIGKILL)
		<-p.gone
	}
	return killed
}

func (p *process) String() string { return fmt.Sprintf("process %d", p.pid) }

// awaitGroup waits until no process of the group runs any more. All were killed,
// but only the leader is our own child, whose end can be waited for.
func awaitGroup(group int) {
	_ = wait.PollUntilContextTimeout(context.Background(), time.Millisecond, 2*time.Second, true,
		func(context.Context) (bool, error) { return !groupRuns(group), nil })
}

func groupRuns(group int) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	// Something is there, perhaps only zombies that nobody reaps. One that has
	// more than one thread is not dead: only its first thread has ended.
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is one
	return slices.ContainsFunc(files, func(file string) bool {
		fields := stat(file)
		if len(fields) < 18 || fields[2] != strconv.Itoa(group) {
			return false
		}
		threads, _ := strconv.Atoi(fields[17])
		return fields[0] != "Z" && fields[0] != "X" || threads > 1
	})
}

// state is the letter by which the kernel tells the process's state; empty when
// it has gone.
func (p *process) state() string {
	return (append(stat(fmt.Sprintf("/proc/%d/stat", p.pid)), ""))[0]
}

// stat returns a process's state, parent, group and so on; the 18th is how many
// threads it has.
func stat(file string) []string {
	data, _ := os.ReadFile(file) // without it, it has gone
	// pid (name) state parent group …; a name may have any character.
	text := string(data)
	return strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
}
