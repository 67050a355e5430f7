package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// inTurn makes a run of each plan until ctx ends. None begins on a target that
// still has a fault of the run before: after a run that left something, clean
// removes the faults first.
func inTurn(ctx context.Context, plans []*plan.Plan, makeOne func(*plan.Plan) (left []string, err error), clean func() error) error {
	for i, compiled := range plans {
		if ctx.Err() != nil {
			return nil
		}
		left, err := makeOne(compiled)
		if err != nil {
			return err
		}
		rest := plans[i+1:]
		if len(left) == 0 || len(rest) == 0 || ctx.Err() != nil {
			continue
		}
		if err := clean(); err != nil {
			names := make([]string, len(rest))
			for i, one := range rest {
				names[i] = one.Experiment
			}
			return fmt.Errorf("not begun: %s, because a fault of %s is still on the target: %w", strings.Join(names, ", "), compiled.Experiment, err)
		}
	}
	return nil
}
