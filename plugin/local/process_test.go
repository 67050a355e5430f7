package local

import (
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestGroupRunsWithoutLeader: a process whose first thread has ended is a zombie to
// the kernel, and its other threads still listen.
func TestGroupRunsWithoutLeader(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "LOCAL_TEST_ROLE=headless", "LOCAL_TEST_LISTEN="+address)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	group := command.Process.Pid
	end := sync.OnceFunc(func() {
		_ = syscall.Kill(-group, syscall.SIGKILL)
		_ = command.Wait()
	})
	defer end()
	deadline := time.Now().Add(linkPatience)
	for (&process{pid: group}).state() != "Z" {
		if time.Now().After(deadline) {
			t.Fatal("its first thread does not end")
		}
		time.Sleep(time.Millisecond)
	}
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
	if !groupRuns(group) {
		t.Error("a process that listens is taken for one that has gone")
	}
	end()
	if groupRuns(group) {
		t.Errorf("group %d has gone, and is taken for one that runs", group)
	}
}
