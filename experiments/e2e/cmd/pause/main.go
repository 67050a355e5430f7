// Command pause does nothing until it is told to end. It is what holds a pod's
// namespaces open. With arguments it is the program of that name in the image of
// chaos-daemon: it waits for SIGCONT and then becomes the program that they name,
// which is moved into a container's control group meanwhile.
//
//	pause [PROGRAM [ARGUMENT]…]
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		fmt.Fprintln(os.Stderr, "pause:", become(os.Args[1:]))
		os.Exit(1)
	}
	// Every descendant of a pod with one PID namespace becomes its child in
	// the end: with its signal ignored the kernel takes them away.
	signal.Ignore(syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}

func become(command []string) error {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	<-resumed
	program, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	return syscall.Exec(program, command, os.Environ())
}
