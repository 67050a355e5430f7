package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// agree prints what runs on existing resources will do to them, and asks
// whether to go on, unless the user has said yes before. An error means that
// nothing may be touched.
func (s *session) agree(plans []*plan.Plan, yes bool) error {
	for _, compiled := range plans {
		if len(compiled.Touches) == 0 {
			return fmt.Errorf("%s: the plugin does not say which existing resources it would work on; run it without --use-existing", compiled.Experiment)
		}
	}
	fmt.Fprintln(s.errs, "these resources existed before the run, and this will be done to them:")
	for _, compiled := range plans {
		fmt.Fprintf(s.errs, "  %s\n", compiled.Experiment)
		for _, text := range compiled.Touches {
			fmt.Fprintf(s.errs, "    %s\n", text)
		}
	}
	if yes {
		return nil
	}
	if !isTerminal(s.in) {
		return errors.New("--use-existing: nobody can be asked, because the standard input is no terminal, and nothing was done; say --yes to go on without being asked")
	}
	fmt.Fprint(s.errs, "go on? [y/N] ")
	if !affirmed(s.in) {
		return errors.New("--use-existing: nothing was done; answer y to go on, or run it without --use-existing, on resources of its own")
	}
	return nil
}

// affirmed reads one line, and says whether it is a yes.
func affirmed(in io.Reader) bool {
	// What ends without a line is an answer too, or no yes.
	line, _ := bufio.NewReader(in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}
