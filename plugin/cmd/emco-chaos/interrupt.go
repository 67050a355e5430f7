package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// interrupts returns a context that the first interrupt ends, and a channel
// that the second one closes. stop gives the signals back.
//
// A terminal that hangs up ends the context alone: nobody is there to be told
// what is left. A reader of our output that has gone ends nothing.
func interrupts(ctx context.Context, errs io.Writer) (interrupted context.Context, abandon <-chan struct{}, stop func()) {
	interrupted, cancel := context.WithCancel(ctx)
	abandoned, done := make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// Not to be notified of: each connection that breaks would tell.
	signal.Ignore(syscall.SIGPIPE)
	// What nohup started goes on.
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
		// Hanging up must not end the process after stop, before all is given back.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	go func() {
		defer close(done)
		for received := range signals {
			switch {
			case received == syscall.SIGHUP:
			case interrupted.Err() != nil:
				close(abandoned)
				return
			default:
				fmt.Fprintln(errs, "interrupted: ending the run and cleaning up; interrupt again to stop waiting and be told what is left")
			}
			cancel()
		}
	}()
	return interrupted, abandoned, func() {
		signal.Stop(signals)
		close(signals)
		<-done
		cancel()
	}
}
