package main

import (
	"io"
	"os"
	"strconv"
)

// lifelineVariable names the file descriptor of a pipe whose other end the owner of this process holds.
const lifelineVariable = "EMCO_CHAOS_LIFELINE"

// watchLifeline ends the process as soon as its owner is gone. A process without a lifeline lives on its own.
func watchLifeline() {
	descriptor, err := strconv.ParseUint(os.Getenv(lifelineVariable), 10, 31)
	if err != nil {
		return
	}
	pipe := os.NewFile(uintptr(descriptor), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, pipe)
		os.Exit(1)
	}()
}
