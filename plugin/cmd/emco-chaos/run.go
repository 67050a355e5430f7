package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// running says how experiments are run.
type running struct {
	chosen
	output   string
	journal  string
	attempts int
	// existing says that the runs work on the resources that the target
	// names, and yes that the user agrees to what is done to them.
	existing bool
	yes      bool
	// dry says that what the runs would touch is told, and nothing done.
	dry bool
	// journals is the folder for the journals when none is named.
	journals string
}

func newRun(s *session) *cobra.Command {
	var how running
	command := &cobra.Command{
		Use:   "run [NAME…]",
		Short: "Run experiments on a target, and give a verdict on each",
		Long: `Run experiments on a target, one after another, and give a verdict on each.
Exit codes: 0 all passed, 1 one failed, 2 usage, 3 one inconclusive, 4 error.
Interrupt once to end the run and clean up; twice to be told what is left.

A run works on resources of its own. With --use-existing it works on those that
the target names as settings.existing, by calls alone: it makes nothing there and
deletes nothing. What will be done to each is told first, and asked for.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			if how.journals, err = stateFolder("journals"); err != nil {
				return failure(err)
			}
			return s.run(cmd.Context(), how, args, target)
		},
	}
	how.flags(command)
	command.Flags().BoolVar(&how.existing, "use-existing", false, "work on the resources that the target names as settings.existing")
	command.Flags().BoolVar(&how.dry, "dry-run", false, "tell which pods and which resources the runs would touch, and do nothing")
	command.Flags().BoolVar(&how.yes, "yes", false, "agree to what --use-existing does, without being asked")
	return command
}

func (how *running) flags(command *cobra.Command) {
	how.chosen.flags(command)
	outputFlag(command, &how.output)
	command.Flags().StringVar(&how.journal, "journal", "", "the `FILE` to add the runs' journals to; else each has one of its own")
	command.Flags().IntVar(&how.attempts, "attempts", 0, "how often an inconclusive run is tried, `N` in all; 0 leaves it to the experiment")
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

// run runs the chosen experiments on the target.
func (s *session) run(ctx context.Context, how running, names []string, target *target.Target) error {
	if err := checkOutput(how.output); err != nil {
		return err
	}
	if how.attempts < 0 {
		return fmt.Errorf("--attempts %d: write 1 or more, or 0 for the experiment's own number", how.attempts)
	}
	target, err := how.useExisting(target)
	if err != nil {
		return err
	}
	bench, err := s.newBench(ctx, target)
	if err != nil {
		return err
	}
	defer bench.close()
	sources, err := how.sources(ctx, bench.plugin, names, target)
	if err != nil {
		return err
	}
	plans, err := compile(ctx, bench.plugin, sources)
	if err != nil {
		return err
	}
	if how.dry {
		return s.dryRun(ctx, plans, target, bench.plugin)
	}
	if how.existing {
		if err := s.agree(plans, how.yes); err != nil {
			return err
		}
	}
	// Until here there is nothing to clean up, and an interrupt just ends it.
	interrupted, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	if err := bench.drive(interrupted); err != nil {
		return err
	}

	screen := newScreen(s, how.output)
	defer screen.close()
	makeOne := func(compiled *plan.Plan) (left []string, err error) {
		name := newRunName()
		file, err := how.open(compiled.Experiment, name)
		if err != nil {
			return nil, err
		}
		made, err := bench.make(interrupted, making{
			run: name, plan: compiled, attempts: how.attempts,
			journal: file, follow: screen.follow, abandon: abandon,
		})
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, fmt.Errorf("run %s, journal %s: %w", name, file.Name(), err)
		}
		return made.Left, screen.show(made, file.Name())
	}
	clean := func() error { return bench.removeFaults(interrupted, linesTo(s.errs)) }
	err = inTurn(interrupted, plans, makeOne, clean)
	ended := screen.end()
	if err != nil {
		return failure(err)
	}
	return ended
}

// open opens the journal of a run, to add to it.
func (how *running) open(experiment, run string) (*os.File, error) {
	path := how.journal
	if path == "" {
		path = filepath.Join(how.journals, experiment+"-"+run+".jsonl")
		if err := os.MkdirAll(how.journals, 0o755); err != nil {
			return nil, fmt.Errorf("make the folder for journals: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	return file, nil
}

// newRunName is short enough to begin the names of Kubernetes objects, and
// begins with a letter, as some of them must.
func newRunName() string { return "r" + strings.ToLower(rand.Text()[:7]) }

// screen shows runs to the user, and counts them.
type screen struct {
	s      *session
	output string
	live   *report.Live
	tally  report.Tally
}

func newScreen(s *session, output string) *screen {
	screen := &screen{s: s, output: output}
	if output == outputText {
		screen.live = report.NewLive(s.out, isTerminal(s.out))
	}
	return screen
}

func isTerminal(out any) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func (c *screen) follow(record journal.Record) {
	if c.live != nil {
		c.live.Follow(record)
	}
}

func (c *screen) show(run report.Run, file string) error {
	c.tally.Add(run.Verdict)
	if c.output == outputJSON {
		return report.JSON(c.s.out, run)
	}
	fmt.Fprintln(c.s.out)
	if err := report.Text(c.s.out, run); err != nil {
		return err
	}
	_, err := fmt.Fprintf(c.s.out, "  journal %s\n\n", file)
	return err
}

func (c *screen) close() {
	if c.live != nil {
		c.live.Close()
		c.live = nil
	}
}

// end prints the last line, and returns the exit code as an error.
func (c *screen) end() error {
	c.close()
	if c.output == outputJSON {
		if err := json.NewEncoder(c.s.out).Encode(c.tally); err != nil {
			return failure(err)
		}
	} else {
		fmt.Fprintln(c.s.out, c.tally)
	}
	if code := c.tally.ExitCode(); code != report.ExitPassed {
		return &exitError{code: code}
	}
	return nil
}
