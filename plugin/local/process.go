package local

import (
	"errors"
	"fmt"
	"io/fs"
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
)

// lifelineVariable tells a process which file descriptor ends when its owner
// does.
const (
	lifelineVariable = "EMCO_CHAOS_LIFELINE"
	lifelineNumber   = 3
)

// process is one process of a pod, the leader of a process group of its own.
type process struct {
	// number counts the processes of the pod from 1.
	number int
	pid    int
	// gone is closed when the process and its group have gone; what stands
	// below it may be read then.
	gone  chan struct{}
	at    time.Time
	state string

	mu sync.Mutex
	// reaped says that the process's number may belong to another one, and
	// killed that it was sent SIGKILL.
	reaped bool
	killed bool
	// grace ends the time that the process was given to stop by itself.
	grace *time.Timer
}

// run starts a process.
func run(command []string, folder string, environment []string, log, lifeline *os.File) (*process, *exec.Cmd, error) {
	started := exec.Command(command[0], command[1:]...)
	started.Dir = folder
	started.Env = environment
	started.Stdout, started.Stderr = log, log
	started.ExtraFiles = []*os.File{lifeline} // becomes lifelineNumber
	started.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := started.Start(); err != nil {
		return nil, nil, err
	}
	return &process{pid: started.Process.Pid, gone: make(chan struct{})}, started, nil
}

// environment is all that a process gets to see of this one's.
func environment(own map[string]string) []string {
	variables := map[string]string{lifelineVariable: strconv.Itoa(lifelineNumber)}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, set := os.LookupEnv(name); set {
			variables[name] = value
		}
	}
	for name, value := range own {
		if name != lifelineVariable {
			variables[name] = value
		}
	}
	list := make([]string, 0, len(variables))
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// wait returns when nothing is left of the process and its group.
func (p *process) wait(command *exec.Cmd) {
	for {
		// The process stays a zombie, and its number its own, until it is
		// reaped below.
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // whatever it left behind
	_ = command.Wait()                        // its state says all
	p.reaped = true
	if p.grace != nil {
		p.grace.Stop()
	}
	p.mu.Unlock()
	awaitGroup(p.pid)
	p.at = time.Now()
	p.state = command.ProcessState.String()
	close(p.gone)
}

// signal sends a signal to the process and its group, and says whether they
// were still there.
func (p *process) signal(signal syscall.Signal) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || syscall.Kill(-p.pid, signal) != nil {
		return false
	}
	p.killed = p.killed || signal == syscall.SIGKILL
	return true
}

// stopWithin asks the process to stop by itself, and calls kill when the time
// is over and it has not. It says whether the process was still there.
func (p *process) stopWithin(limit time.Duration, kill func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || syscall.Kill(-p.pid, syscall.SIGTERM) != nil {
		return false
	}
	if p.grace == nil {
		p.grace = time.AfterFunc(limit, kill)
	}
	return true
}

// dead says whether the process was killed or has ended, which it may have
// before that is known otherwise.
func (p *process) dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped || p.killed {
		return true
	}
	var state unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.pid, &state, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && state.Signo != 0
}

func (p *process) String() string { return fmt.Sprintf("process %d", p.pid) }

const (
	groupLimit = 2 * time.Second
	groupEvery = time.Millisecond
)

// awaitGroup waits until no process of the group runs any more. All were
// killed; but only the leader is our own child, whose end can be waited for.
func awaitGroup(group int) {
	deadline := time.Now().Add(groupLimit)
	for groupRuns(group) && time.Now().Before(deadline) {
		time.Sleep(groupEvery)
	}
}

func groupRuns(group int) bool {
	if errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
		return false
	}
	// Something is there, perhaps only zombies that nobody reaps.
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return true
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || err != nil {
			continue
		}
		// pid (name) state parent group …; a name may have any character.
		text := string(data)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}
