package main

import (
	"context"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/spf13/cobra"
)

// cleanLimit is how long the leftovers of dead runs may take to go.
const cleanLimit = 10 * time.Minute

func newClean(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "clean",
		Short: "Remove what dead runs left on a target: faults first, then resources",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			ctx, _, stop := interrupts(cmd.Context(), s.errs)
			defer stop()
			data, err := wire(target)
			if err != nil {
				return err
			}
			plugin, err := s.start(ctx, target)
			if err != nil {
				return err
			}
			defer plugin.Close()
			driver, err := drive(ctx, target)
			if err != nil {
				return err
			}
			defer driver.end(s.errs)
			if err := s.cleanFaults(ctx, driver); err != nil {
				return failure(err)
			}
			result, err := plugin.Run(ctx, sdk.Task{Run: "clean", Attempt: 1, Target: data, Activity: "clean", Timeout: cleanLimit}, tell{s})
			if err != nil {
				return failure(err)
			}
			fmt.Fprintln(s.out, result.Message)
			if result.Conclusion != sdk.Passed {
				return &exitError{code: report.ExitError}
			}
			return nil
		},
	}
}

// cleanFaults removes the faults of dead runs, which come before all else: a
// system under a fault does not clean up.
func (s *session) cleanFaults(ctx context.Context, driver driver) error {
	objects, err := driver.Leftovers(ctx)
	if err != nil {
		return fmt.Errorf("look for faults of dead runs: %w", err)
	}
	for _, object := range objects {
		if err := driver.Remove(ctx, object); err != nil {
			return fmt.Errorf("remove the fault %s: %w", object.GetName(), err)
		}
		fmt.Fprintf(s.out, "removed the fault %s\n", object.GetName())
	}
	return nil
}

// tell says on the way what the plugin removes and what it cannot.
type tell struct{ s *session }

func (tell) Event(string, time.Time, map[string]string) {}

func (t tell) Note(_ time.Time, text string) { fmt.Fprintln(t.s.out, text) }

func (t tell) Resource(resource sdk.Resource) {
	switch resource.State {
	case sdk.Removed:
		fmt.Fprintf(t.s.out, "removed %s\n", resource.Anchor)
	case sdk.Left:
		fmt.Fprintf(t.s.out, "left %s: %s\n", resource.Anchor, resource.Reason)
	}
}
