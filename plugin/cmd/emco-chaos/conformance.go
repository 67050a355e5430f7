package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcotest/conformance"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// conforming is how an EMCO is asked for its conformance.
type conforming struct {
	output   string
	verbose  bool
	patience time.Duration
	remove   string // the run to clean up after, in place of asking
}

func newConformance(s *session) *cobra.Command {
	how := &conforming{}
	command := &cobra.Command{
		Use:   "conformance",
		Short: "See whether an EMCO answers as our verdicts understand it",
		Long: `Ask an EMCO what a real one of release 22.12 was asked, on resources of its own,
and print where it answers differently. All that was made is removed at the end.
What needs a stopped service, or touches what all users of an EMCO share, is not
asked. Exit codes: 0 no difference, 1 differences, 2 usage, 4 error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.conform(cmd.Context(), how) },
	}
	outputFlag(command, &how.output)
	flags := command.Flags()
	flags.BoolVarP(&how.verbose, "verbose", "v", false, "say also what was not asked, and why")
	flags.DurationVar(&how.patience, "timeout", 30*time.Second, "how long to wait for one state")
	flags.StringVar(&how.remove, "remove", "", "remove what the `RUN` left that was killed, and ask nothing")
	return command
}

func (s *session) conform(ctx context.Context, how *conforming) error {
	if how.patience <= 0 {
		return fmt.Errorf("--timeout %v: write more than 0", how.patience)
	}
	if how.remove != "" {
		if _, err := emco.NewNames(how.remove, 1); err != nil {
			return fmt.Errorf("--remove: %w", err)
		}
	}
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	reached, err := access.Of(target)
	if err != nil {
		return err
	}
	client, err := emco.New(reached.Client)
	if err != nil {
		return err
	}
	kubeconfig, err := edgeKubeconfig(target, reached.Setup.Kubeconfig)
	if err != nil {
		return err
	}
	interrupted, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	// An EMCO of processes on this machine runs as long as its driver does.
	if target.Driver.Local != nil {
		opened, err := run.OpenLocal(interrupted, target, linesTo(s.errs))
		if err != nil {
			return failure(err)
		}
		defer s.end(opened.Close)
	}
	if how.remove != "" {
		return s.removeLeft(interrupted, client, how)
	}
	options := conformance.Options{
		Run: run.NewName(), Kubeconfig: kubeconfig, Rsync: reached.Setup.Rsync, Patience: how.patience, Abandon: abandon,
	}
	fmt.Fprintf(s.errs, "run %s asks %s\n", options.Run, target.Name)
	var writing error
	summary, err := conformance.Run(interrupted, client, options, func(result conformance.Result) {
		writing = errors.Join(writing, s.showResult(how, result))
	})
	writing = errors.Join(writing, s.showSummary(how, summary))
	s.showLeft(summary.Left)
	if len(summary.Left) > 0 {
		fmt.Fprintf(s.errs, "remove it by `emco-chaos conformance --target %s --remove %s`\n", s.target, options.Run)
		err = errors.Join(err, fmt.Errorf("%d resources are left", len(summary.Left)))
	}
	if err := errors.Join(err, writing); err != nil {
		return failure(err)
	}
	if summary.Different > 0 {
		return &exitError{code: report.ExitFailed}
	}
	return nil
}

// edgeKubeconfig reads the kubeconfig of the target's edge cluster.
func edgeKubeconfig(target *target.Target, file string) ([]byte, error) {
	if file == "" {
		return nil, fmt.Errorf("target %s: settings.edge.kubeconfig: names no file; write settings: {edge: {kubeconfig: {file: FILE}}} with the kubeconfig of the edge cluster", target.Name)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("target %s: settings.edge.kubeconfig: %w", target.Name, err)
	}
	return content, nil
}

// removeLeft removes what a killed run has left.
func (s *session) removeLeft(ctx context.Context, client *emco.Client, how *conforming) error {
	ctx, cancel := context.WithTimeout(ctx, run.CleanLimit)
	defer cancel()
	removed, left, err := conformance.Remove(ctx, client, how.remove, 100*time.Millisecond, how.patience)
	if err != nil {
		return failure(err)
	}
	s.showLeft(left)
	fmt.Fprintf(s.out, "%d removed, %d left\n", removed, len(left))
	if len(left) > 0 {
		return &exitError{code: report.ExitError}
	}
	return nil
}

func (s *session) showLeft(left map[string]string) {
	for _, anchor := range slices.Sorted(maps.Keys(left)) {
		fmt.Fprintf(s.errs, "left %s: %s\n", anchor, document.Shown(left[anchor]))
	}
}

// showResult prints a difference, and what was not asked if that is wanted.
func (s *session) showResult(how *conforming, result conformance.Result) error {
	if result.Kind == conformance.AsRecorded || result.Kind == conformance.NotAsked && !how.verbose {
		return nil
	}
	record := result.Record
	if how.output == outputJSON {
		line := struct {
			Record   int               `json:"record"`
			Set      string            `json:"set"`
			Given    string            `json:"given"`
			Call     string            `json:"call"`
			Result   string            `json:"result"`
			Request  string            `json:"request,omitempty"`
			Expected *conformance.Said `json:"expected,omitempty"`
			Got      *conformance.Said `json:"got,omitempty"`
			Reason   string            `json:"reason,omitempty"`
		}{
			Record: record.Number, Set: record.Set, Given: record.Given, Call: record.Call,
			Result: string(result.Kind), Request: result.Request, Reason: document.Shown(result.Reason),
		}
		if result.Got != (conformance.Said{}) {
			line.Expected, line.Got = &result.Expected, &result.Got
		}
		return json.NewEncoder(s.out).Encode(line)
	}
	_, err := fmt.Fprintf(s.out, "record %d, %s: %s", record.Number, record.Call, result.Kind)
	switch {
	case err != nil:
	case result.Kind == conformance.NotAsked:
		_, err = fmt.Fprintf(s.out, ": %s\n", result.Reason)
	case result.Reason != "":
		_, err = fmt.Fprintf(s.out, "\n  state     %s\n", document.Shown(result.Reason))
	default:
		_, err = fmt.Fprintf(s.out, "\n  request   %s\n  expected  %s\n  got       %s\n", result.Request, result.Expected, result.Got)
	}
	return err
}

func (s *session) showSummary(how *conforming, summary conformance.Summary) error {
	if how.output == outputJSON {
		return json.NewEncoder(s.out).Encode(map[string]int{
			"asRecorded": summary.AsRecorded, "different": summary.Different, "notAsked": summary.NotAsked,
		})
	}
	_, err := fmt.Fprintf(s.out, "%d as recorded, %d different, %d not asked\n", summary.AsRecorded, summary.Different, summary.NotAsked)
	return err
}
