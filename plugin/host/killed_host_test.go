package host_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// hostProgram is the name under which the test binary is a host: it starts
// the plugin that is its first argument, has it do an activity, and prints
// the numbers of the plugin's processes.
const hostProgram = "emco-chaos-test-host"

func beHost() {
	process, err := host.Start(context.Background(), host.Options{Path: os.Args[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_, err = process.Run(context.Background(), sdk.Task{Run: "r", Attempt: 1, Activity: "busy"}, tell{})
	fmt.Fprintln(os.Stderr, "the activity ended:", err)
	os.Exit(1)
}

// tell prints what an activity notes.
type tell struct{}

func (tell) Event(string, time.Time, map[string]string) {}
func (tell) Note(_ time.Time, text string)              { fmt.Println(text) }
func (tell) Resource(sdk.Resource)                      {}

func init() {
	// child starts a process of the plugin's own, and tells of both.
	child := func(observer sdk.Observer) {
		command := exec.Command("/bin/sleep", "300")
		if err := command.Start(); err != nil {
			observer.Note(time.Now(), err.Error())
			return
		}
		observer.Note(time.Now(), fmt.Sprintf("%d %d", os.Getpid(), command.Process.Pid))
	}
	programs["waits"] = func() {
		sdk.Serve(scripted{run: func(_ context.Context, _ sdk.Task, observer sdk.Observer) sdk.Result {
			child(observer)
			select {}
		}})
	}
	programs["busy"] = func() {
		sdk.Serve(scripted{run: func(_ context.Context, _ sdk.Task, observer sdk.Observer) sdk.Result {
			child(observer)
			// Ends with the test, should the lifeline not hold.
			for end := time.Now().Add(time.Minute); time.Now().Before(end); {
			}
			return sdk.Result{Conclusion: sdk.Passed}
		}})
	}
}

// TestHostKilled: a plugin, and what it started, ends with its host, however
// that went.
func TestHostKilled(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"waits", "busy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sockets := t.TempDir()
			command := exec.Command(linked(t, hostProgram), binary(t, name))
			command.Env = append(os.Environ(), "TMPDIR="+sockets)
			command.Stderr = t.Output()
			out, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			var pids []int
			for _, field := range strings.Fields(line) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					t.Fatalf("the plugin says %q", line)
				}
				pids = append(pids, pid)
			}
			if group, err := syscall.Getpgid(pids[0]); err != nil || group != pids[0] {
				t.Errorf("the plugin's group is %d, its number %d (%v)", group, pids[0], err)
			}
			if err := command.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			ctx, cancel := contextWithin(t, 20*time.Second)
			defer cancel()
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for ctx.Err() == nil && (alive(pids[0]) || alive(pids[1])) {
				// Nobody tells of the end of another's children.
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
			if took := time.Since(killed); took > 2*time.Second {
				t.Errorf("after %v: plugin alive %v, its child alive %v", took, alive(pids[0]), alive(pids[1]))
			}
			if left := entries(t, sockets); len(left) > 0 {
				t.Errorf("left in the temporary folder: %q", left)
			}
		})
	}
}

// TestPluginKilled: what a plugin started ends with it.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	process := started(t, "waits")
	notes := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		_, err := process.Run(t.Context(), sdk.Task{Run: "r", Attempt: 1, Activity: "waits"}, &watcher{note: func(text string) { notes <- text }})
		done <- err
	}()
	fields := strings.Fields(<-notes)
	child, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(process.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-process.Gone()
	says(t, <-done, "the plugin died (signal: killed)")
	ctx, cancel := contextWithin(t, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && alive(child) {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if alive(child) {
		t.Error("the plugin's child lives")
	}
}

// alive says whether a process runs; one that has ended and that nobody has
// waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// watcher is an observer that keeps what it is told.
type watcher struct {
	events, notes, resources int
	note                     func(string)
	at                       []time.Time
}

func (w *watcher) Event(_ string, at time.Time, _ map[string]string) {
	w.events++
	w.at = append(w.at, at)
}

func (w *watcher) Note(_ time.Time, text string) {
	w.notes++
	if w.note != nil {
		w.note(text)
	}
}

func (w *watcher) Resource(sdk.Resource) { w.resources++ }
