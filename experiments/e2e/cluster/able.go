package cluster

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Able says why no cluster can be brought up on this machine, whatever is
// installed on it; nil if one can.
func Able() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a cluster needs Linux, and this is %s", runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return errors.New("a cluster needs root, for its network namespace and its pods: run this as root")
	}
	tried := make(chan error)
	go func() {
		// The thread is left in the namespace, and so ends with its goroutine.
		runtime.LockOSThread()
		tried <- unix.Unshare(unix.CLONE_NEWNET)
	}()
	if err := <-tried; err != nil {
		return fmt.Errorf("a cluster needs a network namespace, and none can be made: %w", err)
	}
	return nil
}
