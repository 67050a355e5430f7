package controller

import (
	"context"
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	runs "github.com/emco-chaos/emco-chaos/plugin/run"
)

// Runner does the work on the target. It need not keep others off the target:
// it is asked only while the controller holds the target's Lease.
type Runner interface {
	// Compile makes the plan of what is asked for. An [*UnknownError] says
	// that there is no such experiment, document.Problems that it cannot be run
	// like that; any other error is the runner's own.
	Compile(ctx context.Context, request api.Request) (*plan.Plan, error)
	// Run makes a run. When ctx ends the run is ended and cleaned up before
	// Run returns. An error says that there was no run to speak of.
	Run(ctx context.Context, spec runs.Spec) (engine.Outcome, error)
	// Sweep removes what dead runs left: faults first, then what they made in
	// the target. It tells each thing that it removes and that it cannot. An
	// error says that faults may still be there.
	Sweep(ctx context.Context, tell func(string)) (runs.Swept, error)
}

// UnknownError says that there is no such experiment.
type UnknownError struct {
	Experiment string
	Known      []string
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no experiment %q; ask for one of %s", e.Experiment, strings.Join(e.Known, ", "))
}
