package main

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// agree prints what runs will do to existing resources, and asks whether to go on,
// unless yes was said before. An error means that nothing may be touched.
func (s *session) agree(plans []*plan.Plan, yes bool) error {
	for _, compiled := range plans {
		if len(compiled.BlastRadius) == 0 {
			return fmt.Errorf("%s: the plugin does not say which existing resources it would work on; run it without --use-existing", compiled.Experiment)
		}
	}
	fmt.Fprintln(s.errs, "these resources existed before the run, and this will be done to them:")
	for _, compiled := range plans {
		fmt.Fprintf(s.errs, "  %s\n    %s\n", compiled.Experiment, strings.Join(compiled.BlastRadius, "\n    "))
	}
	if yes {
		return nil
	}
	if !isTerminal(s.in) {
		return errors.New("--use-existing: nobody can be asked, because the standard input is no terminal, and nothing was done; say --yes to go on without being asked")
	}
	fmt.Fprint(s.errs, "go on? [y/N] ")
	// What ends without a line is an answer too, or no yes.
	answer, _ := bufio.NewReader(s.in).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("--use-existing: nothing was done; answer y to go on, or run it without --use-existing, on resources of its own")
}
