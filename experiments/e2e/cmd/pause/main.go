// Command pause does nothing until it is told to end. It is what holds a pod's
// namespaces open.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// Every descendant of a pod with one PID namespace becomes its child in
	// the end: with its signal ignored the kernel takes them away.
	signal.Ignore(syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM, syscall.SIGINT)
	<-end
}
