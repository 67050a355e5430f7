package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/conformance"
	"github.com/spf13/cobra"
)

type conformanceCheck struct {
	output   string
	verbose  bool
	patience time.Duration
	remove   string // the run to clean up after, in place of asking
}

func newConformance(s *session) *cobra.Command {
	c := &conformanceCheck{}
	command := &cobra.Command{
		Use:   "conformance",
		Short: "See whether an EMCO answers as our verdicts understand it",
		Long: `Ask an EMCO what a real one of release 22.12 was asked, on resources of its own,
and print where it answers differently. All that was made is removed at the end.
What needs a stopped service, or touches what all users of an EMCO share, is not
asked. Exit codes: 0 no difference, 1 differences, 2 usage, 4 error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), s) },
	}
	cli.Output(command, &c.output, "text", outputJSON)
	flags := command.Flags()
	flags.BoolVarP(&c.verbose, "verbose", "v", false, "say also what was not asked, and why")
	flags.DurationVar(&c.patience, "timeout", 30*time.Second, "how long to wait for one state")
	flags.StringVar(&c.remove, "remove", "", "remove what the `RUN` left that was killed, and ask nothing")
	return command
}

func (c *conformanceCheck) run(ctx context.Context, s *session) error {
	if c.patience <= 0 {
		return fmt.Errorf("--timeout %v: write more than 0", c.patience)
	}
	if c.remove != "" {
		if _, err := emco.NewNames(c.remove, 1); err != nil {
			return fmt.Errorf("--remove: %w", err)
		}
	}
	target, reached, err := s.access()
	if err != nil {
		return err
	}
	client, err := emco.New(reached.Client)
	if err != nil {
		return err
	}
	if reached.Setup.Kubeconfig == "" {
		return fmt.Errorf("target %s: settings.edge.kubeconfig: names no file; write settings: {edge: {kubeconfig: {file: FILE}}} with the kubeconfig of the edge cluster", target.Name)
	}
	kubeconfig, err := os.ReadFile(reached.Setup.Kubeconfig)
	if err != nil {
		return fmt.Errorf("target %s: settings.edge.kubeconfig: %w", target.Name, err)
	}
	interrupted, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	end, err := s.startLocal(interrupted, target)
	if err != nil {
		return failure(err)
	}
	defer end()
	if c.remove != "" {
		return c.removeRun(interrupted, s, client)
	}
	options := conformance.Options{
		Run: run.NewName(), Kubeconfig: kubeconfig, Rsync: reached.Setup.Rsync, Patience: c.patience, Abandon: abandon,
	}
	fmt.Fprintf(s.errs, "run %s asks %s\n", options.Run, target.Name)
	var writing error
	summary, err := conformance.Run(interrupted, client, options, func(result conformance.Result) {
		writing = errors.Join(writing, c.writeResult(s.out, result))
	})
	writing = errors.Join(writing, c.writeSummary(s.out, summary))
	if len(summary.Left) > 0 {
		s.tellLeft(summary.Left)
		fmt.Fprintf(s.errs, "remove it by `emco-chaos conformance --target %s --remove %s`\n", s.target, options.Run)
		err = errors.Join(err, fmt.Errorf("%d resources are left", len(summary.Left)))
	}
	err = errors.Join(err, writing)
	if err == nil && summary.Different > 0 {
		err = cli.Ended(report.ExitFailed)
	}
	return failure(err)
}

func (c *conformanceCheck) removeRun(ctx context.Context, s *session, client *emco.Client) error {
	ctx, cancel := context.WithTimeout(ctx, run.CleanLimit)
	defer cancel()
	removed, left, err := conformance.Remove(ctx, client, c.remove, 100*time.Millisecond, c.patience)
	if err != nil {
		return failure(err)
	}
	s.tellLeft(left)
	fmt.Fprintf(s.out, "%d removed, %d left\n", removed, len(left))
	if len(left) > 0 {
		err = cli.Ended(report.ExitError)
	}
	return err
}

// tellLeft prints the anchors of resources that could not be removed, and why.
func (s *session) tellLeft(left map[string]string) {
	for _, anchor := range slices.Sorted(maps.Keys(left)) {
		fmt.Fprintf(s.errs, "left %s: %s\n", anchor, document.Shown(left[anchor]))
	}
}

// writeResult writes a difference, and what was not asked if that is wanted.
func (c *conformanceCheck) writeResult(out io.Writer, result conformance.Result) error {
	if result.Kind == conformance.AsRecorded || result.Kind == conformance.NotAsked && !c.verbose {
		return nil
	}
	record, reason := result.Record, document.Shown(result.Reason)
	if c.output == outputJSON {
		if result.Got == (conformance.Said{}) {
			result.Expected = result.Got // nothing to compare
		}
		return json.NewEncoder(out).Encode(struct {
			Record   int              `json:"record"`
			Set      string           `json:"set"`
			Given    string           `json:"given"`
			Call     string           `json:"call"`
			Result   string           `json:"result"`
			Request  string           `json:"request,omitempty"`
			Expected conformance.Said `json:"expected,omitzero"`
			Got      conformance.Said `json:"got,omitzero"`
			Reason   string           `json:"reason,omitempty"`
		}{record.Number, record.Set, record.Given, record.Call, string(result.Kind), result.Request, result.Expected, result.Got, reason})
	}
	text := fmt.Sprintf("\n  request   %s\n  expected  %s\n  got       %s", result.Request, result.Expected, result.Got)
	switch {
	case result.Kind == conformance.NotAsked:
		text = ": " + reason
	case reason != "":
		text = "\n  state     " + reason
	}
	_, err := fmt.Fprintf(out, "record %d, %s: %s%s\n", record.Number, record.Call, result.Kind, text)
	return err
}

func (c *conformanceCheck) writeSummary(out io.Writer, summary conformance.Summary) error {
	if c.output == outputJSON {
		return json.NewEncoder(out).Encode(map[string]int{
			"asRecorded": summary.AsRecorded, "different": summary.Different, "notAsked": summary.NotAsked,
		})
	}
	_, err := fmt.Fprintf(out, "%d as recorded, %d different, %d not asked\n", summary.AsRecorded, summary.Different, summary.NotAsked)
	return err
}
