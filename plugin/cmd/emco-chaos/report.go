package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/spf13/cobra"
)

// perRun writes runs one after another.
func perRun(write func(io.Writer, report.Run) error) func(io.Writer, []report.Run) error {
	return func(out io.Writer, runs []report.Run) error {
		for _, run := range runs {
			if err := write(out, run); err != nil {
				return err
			}
		}
		return nil
	}
}

// forms are the forms of a report, by the flag's word.
var forms = map[string]func(io.Writer, []report.Run) error{
	outputText: perRun(report.Text),
	outputJSON: perRun(report.JSON),
	"junit":    report.JUnit,
	"markdown": report.Markdown,
}

func newReport(s *session) *cobra.Command {
	output := outputText
	command := &cobra.Command{
		Use:   "report FILE…",
		Short: "Report on runs from their journals alone: text, json, junit or markdown",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			runs, err := readRuns(files)
			if err != nil {
				return err
			}
			return failure(forms[output](s.out, runs))
		},
	}
	words := slices.Collect(maps.Keys(forms))
	command.Flags().VarP(&oneOf{&output, words, "-o text, json, junit or markdown"}, "output", "o", "the report's `FORM`: text, json, junit or markdown")
	return command
}

func newExplain(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "explain FILE…",
		Short: "Say in a paragraph a run what happened and what it means",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			runs, err := readRuns(files)
			if err != nil {
				return err
			}
			return failure(perRun(report.Explain)(s.out, runs))
		},
	}
}

func readRuns(files []string) ([]report.Run, error) {
	var runs []report.Run
	for _, name := range files {
		records, err := readJournal(name)
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

func readJournal(name string) ([]journal.Record, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return journal.Read(file)
}
