package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// lookLimit is how long a cluster may take to tell of its pods.
const lookLimit = 10 * time.Second

func newValidate(s *session) *cobra.Command {
	var choice chosen
	command := &cobra.Command{
		Use:   "validate [NAME|FILE…]",
		Short: "Check experiments, and say where the mistakes are",
		Long: `Check experiments, by name or by file, against a target, and say of every
mistake in which file, line and column it is, and what to do about it. With
--target what a run would refuse because of the pods that are there is told too.
Without it they are checked against an EMCO as its own chart installs it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			plans, target, err := s.compile(cmd.Context(), choice, args)
			if target != nil && len(plans) > 0 {
				var refused error
				plans, refused = s.acceptable(cmd.Context(), target, plans)
				err = errors.Join(err, refused)
			}
			for _, valid := range plans {
				fmt.Fprintf(s.out, "%s: valid, %d steps\n", valid.Experiment, len(valid.Steps))
			}
			return err
		},
	}
	choice.flags(s, command)
	return command
}

// acceptable returns the plans whose faults the target's driver would not refuse. Of
// a cluster that does not answer it tells that its pods were not looked at.
func (s *session) acceptable(ctx context.Context, target *target.Target, plans []*plan.Plan) (good []*plan.Plan, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	pods, err := s.podsOf(ctx, target)
	if err != nil {
		fmt.Fprintf(s.errs, "the pods of the faults are not looked at: %v\n", err)
		return plans, nil
	}
	var refused []error
	for _, one := range plans {
		if err := printFaults(ctx, io.Discard, pods, target, one); err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", one.Experiment, err))
			continue
		}
		good = append(good, one)
	}
	return good, errors.Join(refused...)
}
