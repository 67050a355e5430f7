package main

import (
	"context"
	"encoding/json"
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
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
	"golang.org/x/term"
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
			if options.journals, err = stateFolder("journals"); err != nil {
				return failure(err)
			}
			return s.run(cmd.Context(), options, args, target)
		},
	}
	options.chosen.flags(command)
	s.complete(command)
	options.flags(command, "the `FILE` to add the runs' journals to; else each has one of its own")
	command.Flags().IntVar(&options.times, "repeat", 1, "how often each experiment is run, `N` times in all, with those that --journal already has")
	command.Flags().BoolVar(&options.existing, "use-existing", false, "work on the resources that the target names as settings.existing")
	command.Flags().BoolVar(&options.dry, "dry-run", false, "tell which pods and which resources the runs would touch, and do nothing")
	command.Flags().BoolVar(&options.yes, "yes", false, "agree to what --use-existing does, without being asked")
	return command
}

func (o *runOptions) flags(command *cobra.Command, journal string) {
	outputFlag(command, &o.output)
	command.Flags().StringVar(&o.journal, "journal", "", journal)
	command.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show all that happens on a terminal too, and not one line a step")
	command.Flags().IntVar(&o.attempts, "attempts", 0, "how often an inconclusive run is tried, `N` in all; 0 leaves it to the experiment")
}

// stateFolder is a folder of the user's state, for journals.
func stateFolder(name string) (string, error) {
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find a folder for the journal: %w; name a file with --journal", err)
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "emco-chaos", name), nil
}

// run runs the chosen experiments on the target, and tells how they ended.
func (s *session) run(ctx context.Context, options runOptions, names []string, target *target.Target) error {
	screen, err := s.suite(ctx, options, names, target)
	if screen == nil {
		return err
	}
	ended := screen.end()
	if err != nil {
		return failure(err)
	}
	return ended
}

// suite runs the chosen experiments on the target. There is no screen if none was begun.
func (s *session) suite(ctx context.Context, options runOptions, names []string, target *target.Target) (*screen, error) {
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
		if plans, done, err = options.repeat(plans, plugin, linesTo(s.errs)); err != nil {
			return nil, err
		}
	} else if options.journal != "" {
		// Before anything is begun: it may be no journal.
		file, err := options.open("", "", linesTo(s.errs))
		if err != nil {
			return nil, err
		}
		file.Close()
	}
	// Until here there is nothing to clean up, and an interrupt just ends it.
	told := s.errs
	if options.lane > 0 {
		told = io.Discard // The first lane tells of an interrupt.
	}
	interrupted, abandon, stop := interrupts(ctx, told)
	defer stop()
	traces := trace.FromEnvironment(ctx, version, linesTo(s.errs))
	defer traces.Close()
	opened, err := run.Open(interrupted, target, linesTo(s.errs))
	if err != nil {
		return nil, failure(err)
	}
	defer s.end(opened.Close)
	if err := opened.Prepare(interrupted); err != nil {
		return nil, failure(err)
	}

	behind := doctor.Fronts(interrupted, target, linesTo(s.errs))
	if err := new(run.Outages).Try(interrupted, opened, plugin, behind, plans, abandon); err != nil {
		return nil, failure(err)
	}
	screen := newScreen(s.out, options, len(plans))
	screen.runs = done
	err = opened.Suite(interrupted, plans, func(compiled *plan.Plan) (engine.Outcome, error) {
		name := run.NewName()
		file, err := options.open(compiled.Experiment, name, linesTo(s.errs))
		if err != nil {
			return engine.Outcome{}, err
		}
		history := journal.New(file, screen.live.Follow)
		outcome, err := opened.Run(interrupted, plugin, run.Spec{
			Run: name, Plan: compiled, Attempts: options.attempts, Journal: history, Version: version, Abandon: abandon,
		})
		if len(history.Records()) > 0 {
			err = errors.Join(err, screen.show(history, file.Name(), traces.Send(history.Records())))
		}
		if err := errors.Join(err, file.Close()); err != nil {
			return outcome, fmt.Errorf("run %s, journal %s: %w", name, file.Name(), err)
		}
		return outcome, nil
	})
	return screen, err
}

// open opens the journal of a run, to add to it.
func (o *runOptions) open(experiment, run string, tell func(string)) (*os.File, error) {
	path := o.journal
	if path == "" {
		path = filepath.Join(o.journals, experiment+"-"+run+".jsonl")
		if err := os.MkdirAll(o.journals, 0o755); err != nil {
			return nil, fmt.Errorf("make the folder for journals: %w", err)
		}
	}
	return journal.Open(path, tell)
}

// screen shows runs to the user, and counts their verdicts.
type screen struct {
	out   io.Writer
	json  bool
	style report.Style
	live  *report.Live
	runs  []report.Run
	// together has the runs told together at the end, as many of each.
	together bool
}

// newScreen shows so many runs. On a terminal that is brief unless the user wants all.
func newScreen(out io.Writer, options runOptions, runs int) *screen {
	live, terminal := out, isTerminal(out)
	// Both are conventions: https://no-color.org, and terminfo's name of what can nothing.
	able := terminal && os.Getenv("TERM") != "dumb"
	s := &screen{out: out, json: options.output == outputJSON, together: options.repeats, style: report.Style{
		Brief: terminal && !options.verbose, Redraw: able, Colour: able && os.Getenv("NO_COLOR") == "", Total: runs,
	}}
	if s.json {
		live, s.style = io.Discard, report.Style{}
	}
	s.live = report.NewLive(live, s.style)
	return s
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// show prints the report of a run, which is made from its journal alone, and the
// ID of the trace that is sent of it, if one is.
func (s *screen) show(history *journal.Journal, file, trace string) error {
	told := report.Runs(history.Records())[0]
	s.runs = append(s.runs, told)
	if trace != "" {
		file += "\n  trace " + trace
	}
	switch {
	case s.json:
		return report.Formats["json"](s.out, told)
	case s.style.Brief && told.Verdict == verdict.Passed:
		_, err := fmt.Fprintf(s.out, "  journal %s\n\n", file)
		return err
	}
	fmt.Fprintln(s.out)
	if err := report.Text(s.out, told); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.out, "  journal %s\n\n", file)
	return err
}

// end prints the last line, and returns the exit code as an error.
func (s *screen) end() error {
	s.live.Close()
	tally := report.TallyOf(s.runs)
	var err error
	switch {
	case s.json:
		err = json.NewEncoder(s.out).Encode(tally)
	case s.together:
		err = report.Stats["text"](s.out, s.runs...)
		fmt.Fprintf(s.out, "\n%s\n", tally)
	case len(s.runs) > 1:
		err = report.Table(s.out, s.runs...)
		fmt.Fprintf(s.out, "\n%s\n", tally)
	default:
		fmt.Fprintln(s.out, tally)
	}
	if err != nil {
		return failure(err)
	}
	if code := tally.ExitCode(); code != report.ExitPassed {
		return &exitError{code: code}
	}
	return nil
}
