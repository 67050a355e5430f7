package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

type runOptions struct {
	chosen
	output   string
	journal  string
	attempts int
	verbose  bool
	// repeats has each experiment run as many times, with those of the journal.
	repeats bool
	times   int
	// existing has the runs work on the resources that the target names, and
	// yes is the user's consent to what is done to them.
	existing, yes bool
	// dry tells what the runs would touch, and does nothing.
	dry bool
	// journals is the folder for the journals when no file is named.
	journals string
	// told: another tells of an interrupt.
	told bool
}

func newRun(s *session) *cobra.Command {
	var options runOptions
	command := &cobra.Command{
		Use:   "run [NAME|FILE…]",
		Short: "Run experiments on a target, and give a verdict on each",
		Long: `Run experiments on a target, one after another, and give a verdict on each.
Exit codes: 0 all passed, 1 one failed, 2 usage, 3 one inconclusive, 4 error.
Interrupt once to end the run and clean up; twice to be told what is left.

With --repeat each is run N times, in rounds, into one journal. The same command
with the same --journal goes on where one ended: what the journal has of an
experiment with the same parameters counts, unless it ended in Error.

A run works on resources of its own. With --use-existing it works on those that
the target names as settings.existing, by calls alone: it makes nothing there and
deletes nothing. What will be done to each is told first, and asked for.

With OTEL_EXPORTER_OTLP_ENDPOINT each run is sent there as a trace.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			if options.yes && !options.existing {
				return errors.New("--yes stands without --use-existing: leave it out, since there is nothing to agree to")
			}
			if options.times < 1 {
				return fmt.Errorf("--repeat %d: write 1 or more", options.times)
			}
			options.repeats = cmd.Flags().Changed("repeat")
			target.UseExisting = options.existing
			if options.journal == "" {
				if options.journals, err = journalsFolder(); err != nil {
					return failure(err)
				}
			}
			return s.run(cmd.Context(), options, args, target)
		},
	}
	options.chosen.flags(s, command)
	options.flags(command, "the `FILE` to add the runs' journals to; else each has one of its own")
	command.Flags().IntVar(&options.times, "repeat", 1, "how often each experiment is run, `N` times in all, with those that --journal already has")
	command.Flags().BoolVar(&options.existing, "use-existing", false, "work on the resources that the target names as settings.existing")
	command.Flags().BoolVar(&options.dry, "dry-run", false, "tell which pods and which resources the runs would touch, and do nothing")
	command.Flags().BoolVar(&options.yes, "yes", false, "agree to what --use-existing does, without being asked")
	return command
}

func (o *runOptions) flags(command *cobra.Command, journal string) {
	cli.Output(command, &o.output, "text", outputJSON)
	command.Flags().StringVar(&o.journal, "journal", "", journal)
	command.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show all that happens on a terminal too, and not one line a step")
	command.Flags().IntVar(&o.attempts, "attempts", 0, "how often an inconclusive run is tried, `N` in all; 0 leaves it to the experiment")
}

// journalsFolder is the folder of the user's state for journals.
func journalsFolder() (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find a folder for the journal: %w; name a file with --journal", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "emco-chaos", "journals"), nil
}

// openJournal opens a journal to add to it, in a folder that is made.
func (s *session) openJournal(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, failure(fmt.Errorf("make the folder for the journal: %w", err))
	}
	return journal.Open(path, s.tell)
}

// onTarget opens the target, removes the faults that are on it, and does something there.
func (s *session) onTarget(ctx context.Context, target *target.Target, tell func(string), do func(*run.Target, *trace.Sender) error) error {
	traces := trace.FromEnvironment(ctx, version, s.tell)
	defer traces.Close()
	opened, err := run.Open(ctx, target, tell)
	if err != nil {
		return failure(err)
	}
	defer s.end(opened.Close)
	if err = opened.Prepare(ctx); err == nil {
		err = do(opened, traces)
	}
	return failure(err)
}

// run runs the chosen experiments on the target, and tells how they ended.
func (s *session) run(ctx context.Context, options runOptions, names []string, target *target.Target) error {
	screen, err := s.suite(ctx, options, names, target)
	return screen.end(err)
}

// suite runs the chosen experiments on the target. There is no screen if none was begun.
func (s *session) suite(ctx context.Context, options runOptions, names []string, target *target.Target) (screen *screen, err error) {
	if options.attempts < 0 {
		return nil, fmt.Errorf("--attempts %d: write 1 or more, or 0 for the experiment's own number", options.attempts)
	}
	plugin, err := s.start(ctx, target)
	if err != nil {
		return nil, err
	}
	defer plugin.Close()
	plans, err := options.compile(ctx, plugin, names)
	if err != nil {
		return nil, err
	}
	if options.dry {
		return nil, s.dryRun(ctx, plans, target, plugin)
	}
	if options.existing {
		if err := s.agree(plans, options.yes); err != nil {
			return nil, err
		}
	}
	var done []report.Run
	if options.repeats {
		plans, done, err = s.repeat(&options, plans, plugin.TargetHash())
	} else if options.journal != "" {
		// Before anything is begun: it may be no journal.
		var file *os.File
		if file, err = s.openJournal(options.journal); err == nil {
			err = file.Close()
		}
	}
	if err != nil {
		return nil, err
	}
	// Until here there is nothing to clean up, and an interrupt just ends it.
	told := s.errs
	if options.told {
		told = io.Discard
	}
	ctx, abandon, stop := interrupts(ctx, told)
	defer stop()
	err = s.onTarget(ctx, target, s.tell, func(opened *run.Target, traces *trace.Sender) error {
		behind := doctor.Fronts(ctx, target, s.tell)
		if err := new(run.Outages).Try(ctx, opened, plugin, behind, plans, abandon); err != nil {
			return err
		}
		screen = newScreen(s.out, options, len(plans))
		screen.runs = done
		return opened.Suite(ctx, plans, func(compiled *plan.Plan) (engine.Outcome, error) {
			name, path := run.NewName(), options.journal
			if path == "" {
				path = filepath.Join(options.journals, compiled.Experiment+"-"+name+".jsonl")
			}
			file, err := s.openJournal(path)
			if err != nil {
				return engine.Outcome{}, err
			}
			history := journal.New(file, screen.live.Follow)
			outcome, err := opened.Run(ctx, plugin, run.Spec{
				Run: name, Plan: compiled, Attempts: options.attempts, Journal: history, Version: version, Abandon: abandon,
			})
			if len(history.Records()) > 0 {
				err = errors.Join(err, screen.show(history, path, traces.Send(history.Records())))
			}
			if err := errors.Join(err, file.Close()); err != nil {
				return outcome, fmt.Errorf("run %s, journal %s: %w", name, path, err)
			}
			return outcome, nil
		})
	})
	return screen, err
}
