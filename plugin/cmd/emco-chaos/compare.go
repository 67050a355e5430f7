package main

import (
	"errors"
	"fmt"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
)

func newCompare(s *session) *cobra.Command {
	var output, worse string
	var level float64
	var where namespaced
	command := &cobra.Command{
		Use:   "compare BEFORE… -- AFTER…",
		Short: "Compare the runs of two releases or settings: verdicts and recovery times",
		Long: `Compare the runs of two releases or settings, from their journals alone: files, folders,
or run/NAME. What is compared is each experiment with the same parameters.

What became of its failures, among the runs that Passed or Failed:
  New      it fails now, and never did before
  Gone     it failed before, and does not now
  Rare     it fails at times on both sides, or in fewer than one of ten runs of one
  Same     it always passes on both sides, or always fails
  Unknown  one side has no run that Passed or Failed

The share of failures is tested by Fisher's exact test, each part of the recovery by
that of Mann and Whitney, with the shift of Hodges and Lehmann and its 95 % interval,
and all tests together are corrected by Holm's method. Worse is what is significant
at --level, and of times has grown by more than --worse. A time is not worse when the
interval of its shift ends within --worse: of few runs that cannot be said.

Exit codes: 0 nothing is worse, 1 something is worse, 2 usage, 3 there are too few
runs to tell of something (how many it takes is told), 4 error.`,
		Example: "  emco-chaos compare 22.09.jsonl -- 22.12.jsonl\n  emco-chaos compare --worse 500ms -o markdown old/*.jsonl -- new/*.jsonl",
		RunE: func(cmd *cobra.Command, args []string) error {
			margin, err := report.ParseMargin(worse)
			if err != nil {
				return fmt.Errorf("--worse: %w", err)
			}
			if !(level > 0 && level < 1) {
				return fmt.Errorf("--level %g: write a number between 0 and 1, such as 0.05", level)
			}
			dash := cmd.ArgsLenAtDash()
			if dash < 1 || dash == len(args) {
				return errors.New("write BEFORE… -- AFTER…: the journals before, two dashes, and those after")
			}
			before, err := where.readRuns(cmd.Context(), args[:dash])
			if err != nil {
				return err
			}
			after, err := where.readRuns(cmd.Context(), args[dash:])
			if err != nil {
				return err
			}
			comparison := report.Compare(before, after, margin, level)
			if err := report.Comparisons[output](s.out, comparison); err != nil {
				return failure(err)
			}
			return cli.Ended(comparison.ExitCode())
		},
	}
	cli.Output(command, &output, "text", outputJSON, "markdown", outputHTML)
	command.Flags().StringVar(&worse, "worse", "10%", "by how much a time may grow: a share of the median before, of 100ms at least, or a time")
	command.Flags().Float64Var(&level, "level", 0.05, "how often chance alone may make something seem worse")
	where.flags(command)
	return command
}
