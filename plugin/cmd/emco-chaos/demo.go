package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

// demoLanes is how many emulated EMCOs the demo's experiments run on side by side:
// most of their time they wait.
const demoLanes = 2

func newDemo(s *session) *cobra.Command {
	var options runOptions
	var apps int
	var folder string
	command := &cobra.Command{
		Use:   "demo [NAME…]",
		Short: "Run all experiments on an emulated EMCO on this machine",
		Long: `Run experiments on an emulated EMCO on this machine, all if none is named: on two,
side by side. What happened on the second is told when both have ended. With
--journal there is one, since a journal has one run after another.`,
		ValidArgsFunction: s.completeName,
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				plugin, err := s.describe(cmd.Context())
				if err != nil {
					return err
				}
				names = namesOf(plugin)
			}
			emco, temporary := folder, folder == ""
			if temporary {
				var err error
				if folder, err = os.MkdirTemp("", "emco-chaos-demo-"); err != nil {
					return failure(err)
				}
				emco = filepath.Join(folder, "emco")
			}
			options.journals = filepath.Join(folder, "journals")
			err := s.demo(cmd.Context(), options, names, emco, apps)
			if err == nil && temporary {
				err = failure(os.RemoveAll(emco))
			} else {
				s.tell("the emulated EMCO and its logs are in " + emco)
			}
			journals := cmp.Or(options.journal, options.journals)
			if _, none := os.Stat(journals); none != nil {
				return err // nothing was run
			}
			if wrong := s.page(cmd.Context(), journals, filepath.Join(folder, "report.html")); wrong != nil {
				s.tell(fmt.Sprintf("write the page: %v", wrong))
				return cmp.Or(err, cli.Ended(report.ExitError))
			}
			return err
		},
	}
	options.flags(command, "the `FILE` to add the runs' journals to")
	command.Flags().IntVar(&apps, "apps", 2, "the number of apps that are deployed, 1 to 12")
	command.Flags().StringVar(&folder, "dir", "", "the `DIRECTORY` of the emulated EMCO, kept afterwards; else a temporary one")
	return command
}

// demo runs the experiments in lanes, each on an EMCO of its own, and tells together how they ended.
func (s *session) demo(ctx context.Context, options runOptions, names []string, folder string, apps int) error {
	count := min(demoLanes, len(names))
	if options.journal != "" {
		count = 1
	}
	own := make([][]string, count)
	for i, name := range names {
		own[i%count] = append(own[i%count], name)
	}
	screens, errs, later := make([]*screen, count), make([]error, count), make([]bytes.Buffer, count)
	var all sync.WaitGroup
	for lane, names := range own {
		s, options, folder := *s, options, folder
		if lane > 0 {
			s.out, options.told, folder = &later[lane], true, filepath.Join(folder, strconv.Itoa(lane+1))
		}
		all.Go(func() { screens[lane], errs[lane] = s.demoLane(ctx, options, names, folder, apps) })
	}
	all.Wait()
	first := screens[0]
	for lane, other := range screens[1:] {
		if other != nil {
			other.live.Close() // it may still have something to tell
		}
		if _, err := later[lane+1].WriteTo(s.out); err != nil {
			return failure(err)
		}
		if first != nil && other != nil {
			first.runs = append(first.runs, other.runs...)
		}
	}
	if first != nil {
		slices.SortStableFunc(first.runs, func(a, b report.Run) int { return strings.Compare(a.Plan.Experiment, b.Plan.Experiment) })
	}
	return first.end(errors.Join(errs...))
}

// demoLane runs the lane's experiments on an emulated EMCO in the folder.
func (s *session) demoLane(ctx context.Context, options runOptions, names []string, folder string, apps int) (_ *screen, err error) {
	if s.target, err = emulate(ctx, folder, apps); err != nil {
		return nil, failure(err)
	}
	target, err := s.readTarget()
	if err != nil {
		return nil, err
	}
	return s.suite(ctx, options, names, target)
}

// page writes the report on runs as an HTML file, and names that.
func (s *session) page(ctx context.Context, journals, path string) error {
	runs, err := (&namespaced{}).readRuns(ctx, []string{journals})
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := report.HTML(&text, runs...); err != nil {
		return err
	}
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.errs, "what happened, to be opened in a browser: %s\n", path)
	return err
}

// emulate writes the files of an emulated EMCO into the folder, and returns
// its target file.
func emulate(ctx context.Context, folder string, apps int) (string, error) {
	const emulator = "emco-emulator"
	path := ""
	if self, err := os.Executable(); err == nil {
		path = filepath.Join(filepath.Dir(self), emulator)
	}
	if _, err := os.Stat(path); err != nil {
		if path, err = exec.LookPath(emulator); err != nil {
			return "", fmt.Errorf("%s is neither beside this command nor on PATH; build it with `make build`", emulator)
		}
	}
	command := exec.CommandContext(ctx, path, "cluster", "--dir", folder, "--apps", strconv.Itoa(apps))
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make an emulated EMCO: %w: %s", err, output)
	}
	return filepath.Join(folder, "target.yaml"), nil
}
