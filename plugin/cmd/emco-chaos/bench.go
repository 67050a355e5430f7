package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// bench is what runs are made on: a target, its plugin and its driver.
type bench struct {
	s      *session
	target *target.Target
	// data is the target as it goes to the plugin.
	data   []byte
	plugin *host.Process
	driver driver
}

// newBench starts the plugin. Until drive, nothing keeps others from the
// target, and nothing is to be cleaned up.
func (s *session) newBench(ctx context.Context, target *target.Target) (*bench, error) {
	data, err := wire(target)
	if err != nil {
		return nil, err
	}
	plugin, err := s.start(ctx, target)
	if err != nil {
		return nil, err
	}
	return &bench{s: s, target: target, data: data, plugin: plugin}, nil
}

// drive starts the driver. Faults that are on the target already are removed
// first: they would spoil whatever is run now.
func (b *bench) drive(ctx context.Context) error {
	tell := linesTo(b.s.errs)
	started, err := drive(ctx, b.target, tell)
	if err != nil {
		return err
	}
	b.driver = started
	return failure(b.sweep(ctx, tell))
}

// sweep removes what runs left that died, or could not remove it themselves and
// gave the target back all the same.
func (b *bench) sweep(ctx context.Context, tell func(string)) error {
	if b.driver.hold == nil {
		return nil
	}
	if dead, took := b.driver.hold.Took(); took {
		fmt.Fprintf(b.s.errs, "%s died and may have left faults; removing them. `emco-chaos clean` removes its resources\n", dead)
	}
	return b.removeFaults(ctx, tell)
}

// removeFaults removes all faults that are on the target.
func (b *bench) removeFaults(ctx context.Context, tell func(string)) error {
	guarded, stop := b.driver.guard(ctx)
	defer stop()
	_, err := sweepFaults(guarded, b.driver, tell)
	return err
}

// close ends the driver and the plugin.
func (b *bench) close() {
	b.driver.end(b.s.errs)
	b.plugin.Close()
}

// making says how one run is made.
type making struct {
	run      string
	plan     *plan.Plan
	attempts int
	// journal gets the run's records; follow sees each, when it is not nil.
	journal io.Writer
	follow  func(journal.Record)
	// abandon, when closed, ends the clean-up at once.
	abandon <-chan struct{}
}

// make makes a run.
func (b *bench) make(ctx context.Context, how making) (report.Run, error) {
	if err := b.driver.note(ctx, how.run); err != nil {
		return report.Run{}, err
	}
	select {
	case <-b.plugin.Gone():
		// It died in the run before, which could do without it.
		if _, err := b.restart(ctx); err != nil {
			return report.Run{}, err
		}
	default:
	}
	guarded, stop := b.driver.guard(ctx)
	defer stop()
	history := journal.New(how.journal, how.follow)
	engine.Run(guarded, engine.Config{
		Run: how.run, Plan: how.plan, Target: b.data, Driver: b.driver.Driver, Journal: history,
		Plugin:   b.plugin,
		Attempts: how.attempts,
		Version:  version,
		Abandon:  how.abandon,
		Restart:  b.restart,
	})
	if err := history.Err(); err != nil {
		return report.Run{}, fmt.Errorf("keep the journal: %w", err)
	}
	runs := report.Runs(history.Records())
	if len(runs) != 1 {
		return report.Run{}, errors.New("the journal tells of no run")
	}
	return runs[0], nil
}

// restart starts the plugin again after it died.
func (b *bench) restart(ctx context.Context) (engine.Plugin, error) {
	b.plugin.Close()
	fresh, err := b.s.start(ctx, b.target)
	if err != nil {
		return nil, err
	}
	b.plugin = fresh
	return fresh, nil
}
