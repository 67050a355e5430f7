package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one that a cluster started. The moment of its start tells it
// from another that was given the same number later.
type process struct {
	Name    string `json:"name"`
	PID     int    `json:"pid"`
	Started uint64 `json:"started"`
	// exited is closed when it is gone. It is nil for a process that an
	// earlier command started.
	exited chan struct{}
}

// spawn starts a program with its output in a log, recorded in the folder,
// that outlives this process and does not hear its Ctrl-C. Down ends it.
func spawn(in folder, name string, command *exec.Cmd) (*process, error) {
	log, err := os.OpenFile(in.log(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", name, err)
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	started := &process{Name: name, PID: command.Process.Pid, exited: make(chan struct{})}
	started.Started, err = startOf(started.PID)
	go func() {
		defer close(started.exited)
		_ = command.Wait() // the log tells why
	}()
	if err != nil {
		return started, fmt.Errorf("start %s: %w", name, errors.Join(err, tail(in, name)))
	}
	record, err := json.Marshal(started)
	if err != nil {
		return started, fmt.Errorf("record %s: %w", name, err)
	}
	if err := os.WriteFile(in.path("processes", name+".json"), record, 0o644); err != nil {
		return started, fmt.Errorf("record %s: %w", name, err)
	}
	return started, nil
}

// recorded are the processes that were started in the folder, alive or not.
func recorded(in folder) ([]*process, error) {
	files, err := filepath.Glob(in.path("processes", "*.json"))
	if err != nil {
		return nil, err
	}
	var found []*process
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read what was started: %w", err)
		}
		var one process
		if err := json.Unmarshal(content, &one); err != nil {
			return nil, fmt.Errorf("read what was started: %s: %w", file, err)
		}
		found = append(found, &one)
	}
	return found, nil
}

// alive tells whether it is still there.
func (p *process) alive() bool {
	started, err := startOf(p.PID)
	return err == nil && started == p.Started
}

// end asks the process to end, and makes it after the grace.
func (p *process) end(grace time.Duration) error {
	handle, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find %s: %w", p.Name, err)
	}
	defer unix.Close(handle)
	if !p.alive() {
		return nil
	}
	for _, attempt := range []struct {
		signal unix.Signal
		limit  time.Duration
	}{{unix.SIGTERM, grace}, {unix.SIGKILL, 10 * time.Second}} {
		if attempt.limit == 0 {
			continue
		}
		if err := unix.PidfdSendSignal(handle, attempt.signal, nil, 0); errors.Is(err, unix.ESRCH) {
			return nil
		} else if err != nil {
			return fmt.Errorf("end %s: %w", p.Name, err)
		}
		gone, err := readable(handle, attempt.limit)
		if err != nil {
			return fmt.Errorf("wait for the end of %s: %w", p.Name, err)
		}
		if gone {
			return nil
		}
	}
	return fmt.Errorf("%s (process %d) does not end", p.Name, p.PID)
}

// readable waits until the process that the descriptor refers to is gone.
func readable(handle int, limit time.Duration) (bool, error) {
	deadline := time.Now().Add(limit)
	for {
		left := time.Until(deadline)
		if left < 0 {
			return false, nil
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return false, err
		}
		if ready > 0 {
			return true, nil
		}
	}
}

// stat is what /proc tells of a process: its parent, and the moment of its
// start in the kernel's own measure.
func stat(pid int) (parent int, started uint64, err error) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, err
	}
	// The name, in parentheses, can have spaces.
	fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
	const parentField, startField = 1, 19
	if len(fields) <= startField {
		return 0, 0, fmt.Errorf("process %d: unknown form of its stat file", pid)
	}
	if parent, err = strconv.Atoi(fields[parentField]); err != nil {
		return 0, 0, err
	}
	started, err = strconv.ParseUint(fields[startField], 10, 64)
	return parent, started, err
}

func startOf(pid int) (uint64, error) {
	_, started, err := stat(pid)
	return started, err
}

// tail is an error with the last lines of a process's log.
func tail(in folder, name string) error {
	content, err := os.ReadFile(in.log(name))
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	const most = 15
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return fmt.Errorf("the end of %s:\n  %s", in.log(name), strings.Join(lines, "\n  "))
}

// await asks again and again until the answer is nil. It gives up when the
// context ends and when one of the processes does, and tells which.
func await(ctx context.Context, in folder, what string, on []*process, ask func(context.Context) error) error {
	const interval = 50 * time.Millisecond
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		for _, each := range on {
			select {
			case <-each.exited:
				return fmt.Errorf("wait for %s: %s has ended; %w", what, each.Name, tail(in, each.Name))
			default:
			}
		}
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), context.Canceled) {
				return fmt.Errorf("wait for %s: %w", what, context.Canceled) // the logs would tell nothing
			}
			reasons := []error{fmt.Errorf("wait for %s: %w: %w", what, context.Cause(ctx), err)}
			for _, each := range on {
				reasons = append(reasons, tail(in, each.Name))
			}
			return errors.Join(reasons...)
		case <-ticker.C:
		}
	}
}
