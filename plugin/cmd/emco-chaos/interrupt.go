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
func interrupts(ctx context.Context, errs io.Writer) (interrupted context.Context, abandon <-chan struct{}, stop func()) {
	interrupted, cancel := context.WithCancel(ctx)
	abandoned := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-signals:
			fmt.Fprintln(errs, "interrupted: ending the run and cleaning up; interrupt again to stop waiting and be told what is left")
			cancel()
		case <-stopped:
			return
		}
		select {
		case <-signals:
			close(abandoned)
		case <-stopped:
		}
	}()
	return interrupted, abandoned, func() {
		signal.Stop(signals)
		close(stopped)
		<-done
		cancel()
	}
}
