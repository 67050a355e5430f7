package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// interruptLimit is how long a command that was interrupted may clean up.
const interruptLimit = 20 * time.Second

// interrupted ends when the tests are interrupted: they end soon then, and take
// back what they did to a cluster that stays. A second interrupt does not wait.
var interrupted = sync.OnceValue(func() context.Context {
	first, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(context.Background())
	context.AfterFunc(first, func() {
		stop()
		cancel(context.Cause(first))
	})
	return ctx
})

// during is the test's context, which an interrupt ends too.
func during(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := context.AfterFunc(interrupted(), func() { cancel(context.Cause(interrupted())) })
	t.Cleanup(func() { stop() })
	return ctx
}

// gently has a command interrupted when its context ends, with all that it
// started and once: it is in a process group of its own.
func gently(command *exec.Cmd) *exec.Cmd {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGINT) }
	command.WaitDelay = interruptLimit
	return command
}

// interruptVariable says that this process is one that TestInterrupt interrupts.
const interruptVariable = "EMCO_CHAOS_E2E_INTERRUPT"

// TestInterrupt interrupts a test that waits: it ends at once and takes back
// what it did, and a second interrupt does not wait for that.
func TestInterrupt(t *testing.T) {
	if os.Getenv(interruptVariable) != "" {
		waits(t)
	}
	// Where interrupts are ignored, as in a shell's background, what is started
	// ignores them too, unless somebody here hears them.
	interrupted()
	for _, test := range []struct {
		name  string
		until []string
		code  int
	}{
		{"once", []string{"waiting"}, 1},
		{"twice", []string{"waiting", "taking back"}, -1},
	} {
		t.Run(test.name, func(t *testing.T) {
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), program, "-test.run=^TestInterrupt$", "-test.timeout=1m")
			command.Env = append(os.Environ(), interruptVariable+"="+test.name)
			reading, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			var printed strings.Builder
			lines := bufio.NewScanner(reading)
			for lines.Scan() {
				fmt.Fprintln(&printed, lines.Text())
				if len(test.until) > 0 && lines.Text() == test.until[0] {
					test.until = test.until[1:]
					if err := command.Process.Signal(os.Interrupt); err != nil {
						t.Fatal(err)
					}
				}
			}
			err = command.Wait()
			if code := command.ProcessState.ExitCode(); code != test.code || len(test.until) > 0 {
				t.Errorf("exit code %d, want %d: %v\n%s", code, test.code, err, printed.String())
			}
			if taken := strings.Contains(printed.String(), "taken back"); taken != (test.name == "once") {
				t.Errorf("what was done was taken back: %t\n%s", taken, printed.String())
			}
		})
	}
}

// waits waits in vain. What it did takes long to be taken back if it is
// interrupted twice.
func waits(t *testing.T) {
	t.Cleanup(func() {
		fmt.Println("taking back")
		if os.Getenv(interruptVariable) == "twice" {
			<-time.After(time.Minute)
		}
		fmt.Println("taken back")
	})
	told := sync.OnceFunc(func() { fmt.Println("waiting") })
	eventually(t, time.Minute, func(ctx context.Context) error {
		// Interrupts are heard by now.
		told()
		return errors.New("nothing comes")
	})
}
