// Command memStress keeps memory, as the program of that name in the image of
// chaos-daemon does, of which it takes the options that a StressChaos gives. It
// becomes stress-ng.
//
//	memStress [-workers N] -size SIZE
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

func main() {
	workers := flag.String("workers", "1", "how many processes keep memory")
	size := flag.String("size", "", "how much each keeps: a number with a unit such as kB, MB or GiB, or a percentage of what there is")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "memStress:", become(*workers, *size))
	os.Exit(1)
}

func become(workers, size string) error {
	program, err := exec.LookPath("stress-ng")
	if err != nil {
		return err
	}
	// The units of stress-ng have one letter.
	size = strings.TrimRight(size, "iIbB")
	return syscall.Exec(program, []string{program, "--vm", workers, "--vm-bytes", size, "--vm-keep", "--vm-hang", "0"}, os.Environ())
}
