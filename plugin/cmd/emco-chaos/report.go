package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func newReport(s *session) *cobra.Command {
	var output string
	var stats bool
	var where namespaced
	command := &cobra.Command{
		Use:   "report FILE…|DIR…|run/NAME…",
		Short: "Report on runs from their journals alone, one by one or with --stats together",
		Long: `Report on runs from their journals alone, one by one or with --stats together.
Of a folder all journals are taken, *.jsonl. -o html makes one page that needs no
network and no script; of a crash map's folder it shows the map too.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			formats, of := report.Formats, "a report of each run"
			if stats {
				formats, of = report.Stats, "--stats"
			}
			write, has := formats[output]
			if !has {
				return fmt.Errorf("-o %s is no form of %s, which has %s", output, of, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
			}
			if output == outputHTML && !stats {
				page, err := pageOf(names)
				if err != nil {
					return err
				}
				write = page.Write
			}
			return s.report(cmd.Context(), where, names, write)
		},
	}
	cli.Output(command, &output, "text", outputJSON, "junit", "markdown", outputHTML, "csv")
	command.Flags().BoolVar(&stats, "stats", false, "what all runs of each experiment say together: verdicts and recovery times, as text, json, csv or html")
	where.flags(command)
	return command
}

func newExplain(s *session) *cobra.Command {
	var where namespaced
	command := &cobra.Command{
		Use:   "explain FILE…|DIR…|run/NAME…",
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

const outputHTML = "html"

// pageOf returns the page with the crash maps of those names that are folders.
func pageOf(names []string) (report.Page, error) {
	var page report.Page
	for _, name := range names {
		if !isFolder(name) {
			continue
		}
		known, err := crashmap.Load(name)
		if err != nil {
			return page, failure(err)
		}
		if known != nil {
			page.Maps = append(page.Maps, known.Page())
		}
	}
	return page, nil
}

// journalsIn returns the names with folders replaced by the journals that are in them.
func journalsIn(names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		if !isFolder(name) {
			all = append(all, name)
			continue
		}
		entries, err := os.ReadDir(name)
		if err != nil {
			return nil, fmt.Errorf("look for journals: %w", err)
		}
		before := len(all)
		for _, entry := range entries {
			if filepath.Ext(entry.Name()) == ".jsonl" {
				all = append(all, filepath.Join(name, entry.Name()))
			}
		}
		if len(all) == before {
			return nil, fmt.Errorf("%s: there is no journal in it, *.jsonl", name)
		}
	}
	return all, nil
}

func isFolder(name string) bool {
	found, err := os.Stat(name)
	return err == nil && found.IsDir()
}

// readRuns reads the runs of journals, which are files, all those of folders, or those
// of Runs in a cluster.
func (n *namespaced) readRuns(ctx context.Context, names []string) ([]report.Run, error) {
	names, err := journalsIn(names)
	if err != nil {
		return nil, err
	}
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
