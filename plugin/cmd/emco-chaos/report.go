package main

import (
	"fmt"
	"os"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/spf13/cobra"
)

func newReport(s *session) *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "report FILE…",
		Short: "Report on runs from their journals alone: text, json, junit or markdown",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(_ *cobra.Command, files []string) error { return s.report(files, report.Formats[output]) },
	}
	outputFlag(command, &output, "junit", "markdown")
	return command
}

func newExplain(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "explain FILE…",
		Short: "Say in a paragraph a run what happened and what it means",
		Args:  cobra.MinimumNArgs(1),
		RunE:  func(_ *cobra.Command, files []string) error { return s.report(files, report.Explain) },
	}
}

// report writes the runs of journals.
func (s *session) report(files []string, write report.Format) error {
	var runs []report.Run
	for _, name := range files {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		records, err := journal.Read(file)
		file.Close()
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
