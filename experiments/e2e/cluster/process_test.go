package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func stateFolder(t *testing.T) folder {
	t.Helper()
	in := folder(t.TempDir())
	for _, each := range folders(in) {
		if err := os.MkdirAll(each, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

// A process is found again by what is recorded of it, and ended, whether it
// wants to or not.
func TestProcess(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"willing": "exec sleep 600",
		"deaf":    "trap '' TERM; echo ready; while :; do sleep 1; done",
	} {
		in := stateFolder(t)
		started, err := spawn(in, name, exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		if name == "deaf" {
			err := await(t.Context(), in, name, nil, func(context.Context) error {
				if content, err := os.ReadFile(in.log(name)); err != nil || len(content) == 0 {
					return errors.New("it has not begun")
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		found, err := recorded(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || found[0].Name != name || !found[0].alive() {
			t.Fatalf("recorded %+v, want %s", found, name)
		}
		if err := found[0].end(100 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		<-started.exited
		if found[0].alive() {
			t.Errorf("%s is still alive", name)
		}
		if err := found[0].end(time.Second); err != nil {
			t.Errorf("end what has ended: %v", err)
		}
	}
}

// Another process that was given the number later is not touched.
func TestAnotherProcess(t *testing.T) {
	t.Parallel()
	other := &process{Name: "etcd", PID: os.Getpid(), Started: 1}
	if other.alive() {
		t.Error("this test is not etcd")
	}
	if err := other.end(0); err != nil {
		t.Error(err)
	}
}

// Whoever waits for a process that dies is told which, and its last words.
func TestAwaitDeath(t *testing.T) {
	t.Parallel()
	in := stateFolder(t)
	dying, err := spawn(in, "etcd", exec.Command("sh", "-c", "echo the disk is full; exit 3"))
	if err != nil {
		t.Fatal(err)
	}
	err = await(t.Context(), in, "etcd", []*process{dying}, func(context.Context) error { return errors.New("refused") })
	if err == nil || !strings.Contains(err.Error(), "etcd has ended") || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("%v, want the name and the end of the log", err)
	}
}

func TestAwaitTooLong(t *testing.T) {
	t.Parallel()
	in := stateFolder(t)
	slow, err := spawn(in, "etcd", exec.Command("sh", "-c", "echo electing; exec sleep 600"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.end(0)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, errors.New("it takes too long"))
	defer cancel()
	err = await(ctx, in, "etcd", []*process{slow}, func(context.Context) error { return errors.New("refused") })
	for _, want := range []string{"wait for etcd: it takes too long: refused", "electing"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
