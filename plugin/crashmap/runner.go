package crashmap

import (
	"cmp"
	"context"
	"io"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
)

// OnTarget makes the runs of a map on a target.
type OnTarget struct {
	Plugin *run.Plugin
	Target *run.Target
	// Start starts another plugin, for a clean-up.
	Start func(context.Context) (*run.Plugin, error)
	// Journal gets what happens, Version is that of emco-chaos, and Abandon ends a
	// clean-up.
	Journal io.Writer
	Version string
	Abandon <-chan struct{}
	// Traces sends each run; nil sends none.
	Traces *trace.Sender
}

// Run implements [Runner].
func (t *OnTarget) Run(ctx context.Context, experiment []byte) ([]journal.Record, error) {
	plans, err := t.Plugin.CompileAll(ctx, []sdk.Source{{File: "the experiment of a crash point", Text: experiment}})
	if err != nil {
		return nil, err
	}
	history := journal.New(t.Journal)
	_, err = t.Target.Run(ctx, t.Plugin, run.Spec{
		Run: run.NewName(), Plan: plans[0], Attempts: 1, Journal: history, Version: t.Version, Abandon: t.Abandon,
	})
	t.Traces.Send(history.Records())
	return history.Records(), err
}

// Clean implements [Runner].
func (t *OnTarget) Clean(ctx context.Context) error {
	swept, err := t.Target.Clean(ctx, 0, t.Start)
	return cmp.Or(err, swept.Remains)
}
