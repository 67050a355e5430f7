package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaces is where named network namespaces are.
const namespaces = "/run/netns"

// namespace is a network namespace by its name. The empty one is the present
// one.
type namespace string

func (n namespace) path() string { return filepath.Join(namespaces, string(n)) }

func (n namespace) exists() bool {
	_, err := os.Lstat(n.path())
	return err == nil
}

// make adds the namespace with the node's interface, which leads nowhere: its
// default route sees to it that no packet leaves.
func (n namespace) make(ctx context.Context) error {
	if n.exists() {
		return fmt.Errorf("the network namespace %s is there already: choose another name, or take down what uses it", n)
	}
	name := string(n)
	for _, arguments := range [][]string{
		{"netns", "add", name},
		{"-n", name, "link", "set", "lo", "up"},
		// Not every kernel has dummy interfaces. One end of a pair whose other
		// end nobody answers at does as well, and pods need pairs anyway.
		{"-n", name, "link", "add", nodeInterface, "type", "veth", "peer", "name", nodeInterface + "-end"},
		{"-n", name, "link", "set", nodeInterface + "-end", "up"},
		{"-n", name, "address", "add", NodeAddress + subnetBits, "dev", nodeInterface},
		{"-n", name, "address", "add", EdgeAddress + subnetBits, "dev", nodeInterface},
		{"-n", name, "link", "set", nodeInterface, "up"},
		{"-n", name, "route", "add", "default", "dev", nodeInterface, "src", NodeAddress},
	} {
		if err := quietly(ctx, "ip", arguments...); err != nil {
			return fmt.Errorf("make the network namespace %s: %w", n, err)
		}
	}
	return n.do(func() error {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0); err != nil {
			return fmt.Errorf("forward packets in the network namespace %s: %w", n, err)
		}
		return nil
	})
}

// remove takes the namespace's name away. It ends with its last process.
func (n namespace) remove(ctx context.Context) error {
	if !n.exists() {
		return nil
	}
	if err := quietly(ctx, "ip", "netns", "delete", string(n)); err != nil {
		return fmt.Errorf("remove the network namespace %s: %w", n, err)
	}
	return nil
}

// do runs f on a thread that is in the namespace, and that ends with f: it
// never serves anything else.
func (n namespace) do(f func() error) error {
	if n == "" {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked
		file, err := os.Open(n.path())
		if err != nil {
			done <- fmt.Errorf("open the network namespace: %w", err)
			return
		}
		defer file.Close()
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network namespace %s: %w", n, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// dial connects from inside the namespace. The address must be numeric.
func (n namespace) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var connection net.Conn
	err := n.do(func() (err error) {
		connection, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return connection, err
}

// command is a program that will run in the namespace. It is entered by
// nsenter and not by "ip netns exec", which mounts a fresh /sys and hides the
// cgroups from the kubelet.
func (n namespace) command(ctx context.Context, program string, arguments ...string) *exec.Cmd {
	if n == "" {
		return exec.CommandContext(ctx, program, arguments...)
	}
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net=" + n.path(), "--", program}, arguments...)...)
}

// quietly runs a program whose output matters only when it fails.
func quietly(ctx context.Context, program string, arguments ...string) error {
	return explain(exec.CommandContext(ctx, program, arguments...))
}

func explain(command *exec.Cmd) error {
	output, err := command.CombinedOutput()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: install it", err)
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(string(output)))
}
