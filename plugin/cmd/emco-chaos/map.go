package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// backEnds are the services that EMCO's microservices keep their state in, or
// hand their work to.
var backEnds = []string{"mongo", "etcd", "rsync"}

// mapOptions are the flags of map.
type mapOptions struct {
	out, output, from, points, against string
	between                            []string
	budget, settle                     time.Duration
	seed                               uint64
	moments, longest                   int
	dry                                bool
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
Exit codes: 0 no finding, 1 findings, 2 usage, 3 some point is not covered
or the budget was spent, 4 error.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := s.needTarget()
			if err != nil {
				return err
			}
			return s.mapCalls(cmd.Context(), options, args, target)
		},
	}
	flags := command.Flags()
	outputFlag(command, &options.output)
	flags.StringVar(&options.out, "out", "crash-map", "the `FOLDER` of the map")
	flags.StringVar(&options.from, "from", "", "only from this `STATE`, such as Approved")
	flags.StringVar(&options.points, "points", "", "only the points whose names match the `REGEXP`")
	flags.StringVar(&options.against, "against", "", "the `FOLDER` of an earlier map: findings are told to be new, gone or the same")
	flags.StringSliceVar(&options.between, "back-ends", backEnds, "the `SERVICES` at which calls are stopped")
	flags.DurationVar(&options.budget, "budget", 0, "how long runs may begin; 0 sets no limit")
	flags.DurationVar(&options.settle, "settle", 0, "how long a call is given to move on after a hold; 0 leaves it to the driver")
	flags.IntVar(&options.longest, "longest", 8, "how many back ends, `N`, a call is led past at most")
	flags.IntVar(&options.moments, "moments", 0, "how many kills at random moments, `N`, are made for each call and state")
	flags.Uint64Var(&options.seed, "seed", 1, "what the random moments are drawn from")
	flags.BoolVar(&options.dry, "dry-run", false, "tell how many runs it takes at most, and how long, and do nothing")
	return command
}

// settles is how long a call may need to move on after a hold, by driver: on a
// cluster what was held is sent again by TCP's timer, which has doubled meanwhile.
func settles(target *target.Target) time.Duration {
	if target.Driver.Kubernetes != nil {
		return 5 * time.Second
	}
	return 500 * time.Millisecond
}

// starts are the chosen calls and states.
func (o *mapOptions) starts(calls []string) ([]crashpoint.Start, error) {
	var chosen []crashpoint.Start
	var names, states []string
	for _, start := range crashpoint.Starts() {
		names, states = append(names, start.Call), append(states, string(start.State))
		if (len(calls) == 0 || slices.Contains(calls, start.Call)) && (o.from == "" || o.from == string(start.State)) {
			chosen = append(chosen, start)
		}
	}
	for _, call := range calls {
		if !slices.Contains(names, call) {
			return nil, fmt.Errorf("%s is no call that can be mapped; %s", document.Shown(call), document.Instead(call, slices.Compact(names)))
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("none of the calls starts from %s; %s", document.Shown(o.from), document.Instead(o.from, slices.Compact(slices.Sorted(slices.Values(states)))))
	}
	return chosen, nil
}

// mapCalls makes a crash map of the calls.
func (s *session) mapCalls(ctx context.Context, options mapOptions, calls []string, target *target.Target) error {
	starts, err := options.starts(calls)
	if err != nil {
		return err
	}
	mapper := &crashmap.Mapper{
		Folder: options.out, Starts: starts, Settle: cmp.Or(options.settle, settles(target)), Longest: options.longest,
		Moments: options.moments, Seed: options.seed, Tell: linesTo(s.errs),
	}
	for name, service := range target.Services {
		if service.HasPods() {
			mapper.Services = append(mapper.Services, name)
		}
	}
	// What works on for a service that died is the first to restart.
	slices.SortFunc(mapper.Services, func(a, b string) int {
		return cmp.Or(cmp.Compare(slices.Index(backEnds, b), slices.Index(backEnds, a)), cmp.Compare(a, b))
	})
	for _, name := range options.between {
		if _, known := target.Services[name]; !known {
			return fmt.Errorf("--back-ends: the target has no service %s; %s", document.Shown(name), document.Instead(name, mapper.Services))
		}
	}
	if options.points != "" {
		wanted, err := regexp.Compile(options.points)
		if err != nil {
			return fmt.Errorf("--points: %w", err)
		}
		mapper.Wanted = wanted.MatchString
	}
	if options.longest < 1 || options.moments < 0 {
		return errors.New("--longest is a number from 1 on, and --moments one from 0 on")
	}
	var earlier *crashmap.Map
	if options.against != "" {
		if earlier, err = crashmap.Load(options.against); err == nil && earlier == nil {
			err = fmt.Errorf("--against: there is no crash map in %s", options.against)
		}
		if err != nil {
			return err
		}
	}
	if mapper.Map, err = crashmap.Load(options.out); err != nil {
		return err
	}
	if mapper.Map == nil {
		mapper.Map = &crashmap.Map{Version: version, Began: time.Now().UTC(), BackEnds: options.between}
	}
	if !slices.Equal(mapper.Map.BackEnds, options.between) {
		return fmt.Errorf("the map in %s is of other back ends; name another folder with --out", options.out)
	}
	if options.dry {
		return s.tellPlan(mapper)
	}
	if options.budget > 0 {
		mapper.Until = time.Now().Add(options.budget)
	}
	made := s.makeMap(ctx, mapper, target)
	if mapper.Map.Runs == 0 && !errors.Is(made, crashmap.ErrBudget) {
		return made
	}
	return s.showMap(mapper, earlier, options.output, made)
}

// tellPlan says what a map takes at most.
func (s *session) tellPlan(m *crashmap.Mapper) error {
	points := 0
	for _, start := range m.Starts {
		var ahead []crashpoint.Point
		for _, name := range m.Map.BackEnds {
			ahead = append(ahead, crashpoint.Point{Start: start, Path: []string{name}})
		}
		for ; len(ahead) > 0; ahead = ahead[1:] {
			points += 2
			if len(ahead[0].Path) < m.Longest {
				ahead = append(ahead, ahead[0].Next(m.Map.BackEnds)...)
			}
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
func (s *session) makeMap(ctx context.Context, mapper *crashmap.Mapper, target *target.Target) error {
	plugin, err := s.start(ctx, target)
	if err != nil {
		return err
	}
	defer plugin.Close()
	if err := os.MkdirAll(mapper.Folder, 0o755); err != nil {
		return failure(fmt.Errorf("make the folder of the map: %w", err))
	}
	file, err := journal.Open(filepath.Join(mapper.Folder, "journal.jsonl"), linesTo(s.errs))
	if err != nil {
		return err
	}
	defer s.end(file.Close)
	interrupted, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	opened, err := run.Open(interrupted, target, func(string) {})
	if err != nil {
		return failure(err)
	}
	defer s.end(opened.Close)
	if err := opened.Prepare(interrupted); err != nil {
		return failure(err)
	}
	mapper.Runner = &mapRunner{s: s, target: target, plugin: plugin, opened: opened, file: file, abandon: abandon}
	return failure(mapper.Make(interrupted))
}

// mapRunner makes the runs of a map, with one journal.
type mapRunner struct {
	s       *session
	target  *target.Target
	plugin  *run.Plugin
	opened  *run.Target
	file    *os.File
	abandon <-chan struct{}
}

// Run implements [crashmap.Runner].
func (r *mapRunner) Run(ctx context.Context, experiment []byte) (string, *plan.Plan, []journal.Record, error) {
	plans, err := r.plugin.CompileAll(ctx, []sdk.Source{{File: "the experiment of a crash point", Text: experiment}})
	if err != nil {
		return "", nil, nil, err
	}
	name, history := run.NewName(), journal.New(r.file)
	_, err = r.opened.Run(ctx, r.plugin, run.Spec{Run: name, Plan: plans[0], Attempts: 1, Journal: history, Version: version, Abandon: r.abandon})
	return name, plans[0], history.Records(), err
}

// Clean implements [crashmap.Runner].
func (r *mapRunner) Clean(ctx context.Context) error {
	swept, err := r.opened.Clean(ctx, func(ctx context.Context) (*run.Plugin, error) { return r.s.start(ctx, r.target) })
	return cmp.Or(err, swept.Remains)
}

// showMap prints the map, and returns the exit code as an error.
func (s *session) showMap(m *crashmap.Mapper, earlier *crashmap.Map, output string, made error) error {
	var differences map[crashmap.Difference][]crashmap.Point
	if earlier != nil {
		differences = crashmap.Compare(earlier, m.Map)
	}
	if output == outputJSON {
		all := struct {
			*crashmap.Map
			Differences map[crashmap.Difference][]crashmap.Point `json:"differences,omitempty"`
		}{m.Map, differences}
		if err := json.NewEncoder(s.out).Encode(all); err != nil {
			return failure(err)
		}
	} else if err := crashmap.Text(s.out, m.Map); err != nil {
		return failure(err)
	}
	for _, difference := range crashmap.Differences() {
		for _, point := range differences[difference] {
			if output != outputJSON {
				fmt.Fprintf(s.out, "%s: %s, %s\n", strings.ToUpper(string(difference)), point.Name, point.Consequence)
			}
		}
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
	uncovered := func(start crashmap.Start) bool {
		return slices.ContainsFunc(start.Points, func(p crashmap.Point) bool { return p.Consequence == "" })
	}
	switch {
	case len(m.Map.Findings()) > 0:
		return &exitError{code: report.ExitFailed}
	case spent || slices.ContainsFunc(m.Map.Starts, uncovered):
		return &exitError{code: report.ExitInconclusive}
	}
	return nil
}
