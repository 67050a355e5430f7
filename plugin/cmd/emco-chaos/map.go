package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/trace"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// mapOptions are the flags of map.
type mapOptions struct {
	crashmap.Spec
	out, output, against string
	dry                  bool
}

func newMap(s *session) *cobra.Command {
	var options mapOptions
	command := &cobra.Command{
		Use:   "map [CALL…]",
		Short: "Find the moments of EMCO's calls at which it does not recover",
		Long: `Find the moments of EMCO's calls at which it does not recover from the death of
the service that answers: a crash map. Each call of the life cycle is stopped at
each back end that it comes to, before and after the back end has done its work,
and the service is killed there. What EMCO comes to is compared with runs without
a fault. Each finding is an experiment file that emco-chaos run -f replays.

The map, the journal and the findings' files are in the folder --out. The same
command goes on where one ended that was interrupted, or whose budget was spent.
Exit codes: 0 no finding, 1 findings, 2 usage, 3 something is not covered
or the budget was spent, 4 error.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			options.Calls = args
			return s.mapCalls(cmd.Context(), options, target)
		},
	}
	for _, start := range crashpoint.Starts() {
		command.ValidArgs = append(command.ValidArgs, start.Call)
	}
	flags := command.Flags()
	cli.Output(command, &options.output, "text", outputJSON)
	flags.StringVar(&options.out, "out", "crash-map", "the `FOLDER` of the map")
	flags.StringVar(&options.From, "from", "", "only from this `STATE`, such as Approved")
	flags.StringVar(&options.Points, "points", "", "only the points whose names match the `REGEXP`")
	flags.StringVar(&options.against, "against", "", "the `FOLDER` of an earlier map: findings are told to be new, gone or the same")
	flags.StringSliceVar(&options.BackEnds, "back-ends", crashmap.BackEnds(), "the `SERVICES` at which calls are stopped")
	flags.DurationVar(&options.Budget, "budget", 0, "how long runs may begin; 0 sets no limit")
	flags.DurationVar(&options.Settle, "settle", 0, "how long a call is given to move on after a hold; 0 leaves it to the driver")
	flags.BoolVar(&options.Requests, "requests", false, "stop the calls at each request to a back end, which a local cluster alone can count")
	flags.BoolVar(&options.Share, "share", false, "have calls of one service share a kill, each on a deployment intent group of its own; what does not recover is tried alone")
	flags.IntVar(&options.Longest, "longest", 0, "how many back ends, `N`, a call is led past at most, or requests to each; 0 is 8, or 99 requests")
	flags.IntVar(&options.Moments, "moments", 0, "how many kills at random moments, `N`, are made for each call and state")
	flags.Uint64Var(&options.Seed, "seed", 1, "what the random moments are drawn from")
	flags.BoolVar(&options.dry, "dry-run", false, "tell how many runs it takes at most, and how long, and do nothing")
	return command
}

// mapCalls makes a crash map.
func (s *session) mapCalls(ctx context.Context, options mapOptions, target *target.Target) error {
	var earlier *crashmap.Map
	known, err := crashmap.Load(options.out)
	if err == nil && options.against != "" {
		if earlier, err = crashmap.Load(options.against); err == nil && earlier == nil {
			err = fmt.Errorf("--against: there is no crash map in %s", options.against)
		}
	}
	if err != nil {
		return err
	}
	mapper, err := options.Mapper(target, known, version)
	if err != nil {
		return err
	}
	if options.dry {
		return s.tellPlan(mapper)
	}
	mapper.Tell, mapper.Keep = s.tell, crashmap.InFolder(options.out)
	made := s.makeMap(ctx, mapper, options.out, target)
	if mapper.Map.Runs == 0 && !errors.Is(made, crashmap.ErrBudget) {
		return made
	}
	return s.showMap(mapper, earlier, options.output, made)
}

// tellPlan says what a map takes at most.
func (s *session) tellPlan(m *crashmap.Mapper) error {
	points := 0
	for _, start := range m.Starts {
		for ahead := m.First(start); len(ahead) > 0; ahead = append(ahead[1:], m.Next(ahead[0])...) {
			points += 2
		}
		points += m.Moments
	}
	runs := points + 2*len(m.Starts)
	each := 12*time.Second + 2*m.Settle
	_, err := fmt.Fprintf(s.out, "%d calls and states, at most %d points: at most %d runs of about %v, %v in all, and some more for each finding\n",
		len(m.Starts), points, runs, each, (time.Duration(runs) * each).Round(time.Minute))
	return failure(err)
}

// makeMap makes the runs.
func (s *session) makeMap(ctx context.Context, mapper *crashmap.Mapper, folder string, target *target.Target) error {
	plugin, err := s.start(ctx, target)
	if err != nil {
		return err
	}
	defer plugin.Close()
	file, err := s.openJournal(filepath.Join(folder, "journal.jsonl"))
	if err != nil {
		return err
	}
	defer s.end(file.Close)
	ctx, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	return s.onTarget(ctx, target, func(string) {}, func(opened *run.Target, traces *trace.Sender) error {
		mapper.Runner = &crashmap.OnTarget{
			Plugin: plugin, Target: opened, Journal: file, Version: version, Abandon: abandon, Traces: traces,
			Start: func(ctx context.Context) (*run.Plugin, error) { return s.start(ctx, target) },
		}
		// One that was killed has left what its last run made.
		if err := mapper.Clean(ctx); err != nil {
			mapper.Tell(fmt.Sprintf("what dead runs left stays: %v", err))
		}
		return mapper.Make(ctx)
	})
}

// showMap prints the map, and returns the exit code as an error.
func (s *session) showMap(m *crashmap.Mapper, earlier *crashmap.Map, output string, made error) error {
	var differences map[crashmap.Difference][]crashmap.Point
	if earlier != nil {
		differences = crashmap.Compare(earlier, m.Map)
	}
	var err error
	if output == outputJSON {
		err = json.NewEncoder(s.out).Encode(struct {
			*crashmap.Map
			Differences map[crashmap.Difference][]crashmap.Point `json:"differences,omitempty"`
		}{m.Map, differences})
	} else {
		err = crashmap.Text(s.out, m.Map)
		for _, difference := range crashmap.Differences() {
			for _, point := range differences[difference] {
				fmt.Fprintf(s.out, "%s: %s, %s\n", strings.ToUpper(string(difference)), point.Name, point.Consequence)
			}
		}
	}
	if err != nil {
		return failure(err)
	}
	spent := errors.Is(made, crashmap.ErrBudget)
	switch {
	case spent:
		fmt.Fprintln(s.errs, crashmap.ErrBudget)
	case errors.Is(made, context.Canceled):
		return failure(errors.New("interrupted; the same command goes on where this one ended"))
	case made != nil:
		return made
	}
	var tally report.Tally
	tally.Add(m.Map.Verdict(spent).Verdict)
	return cli.Ended(tally.ExitCode())
}
