package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func newReport(s *session) *cobra.Command {
	var output string
	var stats bool
	var where namespaced
	command := &cobra.Command{
		Use:   "report FILE…|run/NAME…",
		Short: "Report on runs from their journals alone, one by one or with --stats together",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			formats, of := report.Formats, "a report of each run"
			if stats {
				formats, of = report.Stats, "--stats"
			}
			write, has := formats[output]
			if !has {
				return fmt.Errorf("-o %s is no form of %s, which has %s", output, of, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
			}
			return s.report(cmd.Context(), where, names, write)
		},
	}
	outputFlag(command, &output, "junit", "markdown", "csv")
	command.Flags().BoolVar(&stats, "stats", false, "what all runs of each experiment say together: verdicts and recovery times, as text, json or csv")
	where.flags(command)
	return command
}

func newExplain(s *session) *cobra.Command {
	var where namespaced
	command := &cobra.Command{
		Use:   "explain FILE…|run/NAME…",
		Short: "Draw what happened in each run, and say in a paragraph what it means",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return s.report(cmd.Context(), where, names, report.Explain)
		},
	}
	where.flags(command)
	return command
}

// report writes the runs of journals.
func (s *session) report(ctx context.Context, where namespaced, names []string, write report.Format) error {
	runs, err := where.readRuns(ctx, names)
	if err != nil {
		return err
	}
	return failure(write(s.out, runs...))
}

// readRuns reads the runs of journals, which are files or those of Runs in a
// cluster.
func (n *namespaced) readRuns(ctx context.Context, names []string) ([]report.Run, error) {
	var runs []report.Run
	for _, name := range names {
		records, err := n.readJournal(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		found := report.Runs(records)
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: there is no run in it; name a journal that emco-chaos run wrote", name)
		}
		runs = append(runs, found...)
	}
	return runs, nil
}

// readJournal reads a file, or the journal of the Run that is named run/NAME.
func (n *namespaced) readJournal(ctx context.Context, name string) ([]journal.Record, error) {
	if run, is := strings.CutPrefix(name, "run/"); is {
		cluster, namespace, err := n.connect()
		if err != nil {
			return nil, err
		}
		return controller.ReadJournal(ctx, cluster, client.ObjectKey{Namespace: namespace, Name: run})
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return journal.Read(file)
}
