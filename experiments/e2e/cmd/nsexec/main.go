// Command nsexec runs a program in the namespaces of another process, as the
// program of that name in the image of chaos-daemon does, of which it takes
// the options:
//
//	nsexec [-l] [-n PATH] [-m PATH] [-i PATH] [-p PATH] -- PROGRAM [ARGUMENT]…
//
// With -l the program is looked up before the namespaces are entered.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() > 0 {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, "nsexec:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	flags := flag.NewFlagSet("nsexec", flag.ContinueOnError)
	local := flags.Bool("l", false, "look the program up in the present mount namespace")
	network := flags.String("n", "", "path of a network namespace")
	mount := flags.String("m", "", "path of a mount namespace")
	ipc := flags.String("i", "", "path of an IPC namespace")
	pid := flags.String("p", "", "path of a PID namespace")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("no program to run: name it after --")
	}

	// Namespaces belong to a thread: the program must be started by the one
	// that entered them.
	runtime.LockOSThread()
	program := flags.Arg(0)
	if *local {
		found, err := exec.LookPath(program)
		if err != nil {
			return err
		}
		program = found
	}
	opened := make([]*os.File, 0, 4)
	kinds := make([]int, 0, 4)
	for _, namespace := range []struct {
		path string
		kind int
	}{{*ipc, unix.CLONE_NEWIPC}, {*network, unix.CLONE_NEWNET}, {*pid, unix.CLONE_NEWPID}, {*mount, unix.CLONE_NEWNS}} {
		if namespace.path == "" {
			continue
		}
		file, err := os.Open(namespace.path)
		if err != nil {
			return fmt.Errorf("open the namespace: %w", err)
		}
		opened, kinds = append(opened, file), append(kinds, namespace.kind)
	}
	if *local {
		// The program's own file is opened through the descriptor of the
		// present namespace.
		file, err := os.Open(program)
		if err != nil {
			return err
		}
		program = fmt.Sprintf("/proc/self/fd/%d", file.Fd())
		if _, err := unix.FcntlInt(file.Fd(), unix.F_SETFD, 0); err != nil {
			return err
		}
	}
	for i, file := range opened {
		if kinds[i] == unix.CLONE_NEWNS {
			// A thread that shares its root with others cannot change it.
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return fmt.Errorf("leave the shared root: %w", err)
			}
		}
		if err := unix.Setns(int(file.Fd()), kinds[i]); err != nil {
			return fmt.Errorf("enter the namespace %s: %w", file.Name(), err)
		}
	}
	if *pid != "" {
		// A PID namespace is entered by children alone.
		ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
		defer stop()
		command := exec.CommandContext(ctx, program, flags.Args()[1:]...)
		command.Args[0] = flags.Arg(0)
		command.Cancel = func() error { return command.Process.Signal(unix.SIGTERM) }
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		return command.Run()
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return err
	}
	return unix.Exec(path, flags.Args(), os.Environ())
}
