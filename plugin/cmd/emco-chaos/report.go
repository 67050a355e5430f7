package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func newReport(s *session) *cobra.Command {
	var output string
	var where namespaced
	command := &cobra.Command{
		Use:   "report FILE…|run/NAME…",
		Short: "Report on runs from their journals alone: text, json, junit or markdown",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return s.report(cmd.Context(), where, names, report.Formats[output])
		},
	}
	outputFlag(command, &output, "junit", "markdown")
	where.flags(command)
	return command
}

func newExplain(s *session) *cobra.Command {
	var where namespaced
	command := &cobra.Command{
		Use:   "explain FILE…|run/NAME…",
		Short: "Say in a paragraph a run what happened and what it means",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return s.report(cmd.Context(), where, names, report.Explain)
		},
	}
	where.flags(command)
	return command
}

// report writes the runs of journals, which are files or those of Runs in a
// cluster.
func (s *session) report(ctx context.Context, where namespaced, names []string, write report.Format) error {
	var runs []report.Run
	for _, name := range names {
		records, err := where.readJournal(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		found := report.Runs(records)
		if len(found) == 0 {
			return fmt.Errorf("%s: there is no run in it; name a journal that emco-chaos run wrote", name)
		}
		runs = append(runs, found...)
	}
	return failure(write(s.out, runs...))
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
