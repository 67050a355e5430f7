package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
	"github.com/spf13/cobra"
)

// probeCommand holds the flags of the command that runs one kind of probe.
type probeCommand struct {
	kind      probes.Kind
	action    action // what a kind that changes EMCO adds
	arguments map[string]any
	endpoints endpoints
	resources resourceNames
	timeout   time.Duration
	expect    string // the outcome of a call that passes
	output    emcoctl.Form
	dryRun    bool
}

const anyOutcome = "any"

func newProbe(kind probes.Kind) *cobra.Command {
	p := &probeCommand{kind: kind, action: actions[kind.Name], arguments: map[string]any{}, expect: anyOutcome}
	command := &cobra.Command{
		Use:   dashed(kind.Name),
		Short: strings.ToUpper(kind.Summary[:1]) + kind.Summary[1:],
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return p.run(cmd) },
	}
	if dashed(kind.Name) != kind.Name {
		command.Aliases = []string{kind.Name}
	}
	flags := command.Flags()
	for _, argument := range kind.Arguments {
		usage := argument.Description
		if len(argument.Allowed) > 0 {
			usage += ": " + strings.Join(argument.Allowed, ", ")
		}
		if argument.Required {
			usage += " (required)"
		}
		set := func(text string) error { p.arguments[argument.Name] = text; return nil }
		if argument.Type == activity.Mapping {
			usage += ", written as `KEY=VALUE,...`"
			set = func(text string) (err error) {
				p.arguments[argument.Name], err = mapping(text)
				return err
			}
		}
		flags.Func(argument.Name, usage, set)
		if len(argument.Allowed) > 0 {
			cli.Complete(command, argument.Name, argument.Allowed)
		}
	}
	p.endpoints.flags(command)
	switch p.action.scope {
	case named:
		p.resources.flags(command)
	case ofRun:
		p.resources.runFlags(command)
	}
	limit := time.Minute
	if p.action.scope != named {
		limit *= 5
	}
	if kind.Changes() {
		flags.BoolVar(&p.dryRun, "dry-run", false, "say what would be done, and do nothing")
		if p.action.scope != ofAllRuns {
			flags.StringSliceVar(&p.endpoints.setup.Apps, "apps", nil, "the `NAMES` of the apps that are deployed")
		}
	}
	if kind.HasOutcome {
		p.expect = string(emco.Accepted)
		const usage = "the `OUTCOME` that passes: accepted, rejected, \"rejected CODE\", refused, connection-lost, timeout or any (default \"accepted\")"
		flags.Func("expect", usage, p.setExpect)
	}
	flags.DurationVar(&p.timeout, "timeout", limit, "how long it may take")
	cli.Output(command, &p.output, emcoctl.Forms()...)
	return command
}

var upperCase = regexp.MustCompile("[A-Z]")

// dashed writes notFinal as not-final.
func dashed(name string) string {
	return strings.ToLower(upperCase.ReplaceAllString(name, "-$0"))
}

func (p *probeCommand) run(command *cobra.Command) error {
	if p.timeout <= 0 {
		return errors.New("--timeout must be more than 0")
	}
	probe, err := p.kind.New(p.arguments)
	if err != nil {
		return err
	}
	display := &display{form: p.output, out: command.OutOrStdout(), errs: command.ErrOrStderr(), began: time.Now()}
	subject, err := p.endpoints.open(p.timeout, display.answered)
	if err == nil {
		subject.Names, err = p.names()
	}
	if err != nil {
		return err
	}
	if p.kind.Changes() {
		plan, err := p.action.plan(p.arguments, subject)
		if err != nil {
			return err
		}
		if p.dryRun {
			fmt.Fprintln(display.out, "would "+plan)
			return nil
		}
		fmt.Fprintln(display.errs, "will "+plan)
	}

	ctx, cancel := context.WithTimeout(command.Context(), p.timeout)
	defer cancel()
	result := p.judge(probe.Run(ctx, subject, display))
	if err := display.end(p.kind.Name, result); err != nil {
		return toolError(err)
	}
	return cli.Ended(exitCodes[result.Conclusion])
}

// mapping reads KEY=VALUE,....
func mapping(text string) (map[string]any, error) {
	read := map[string]any{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(pair, "=")
		if _, twice := read[key]; !found || twice {
			return nil, fmt.Errorf("%q is no KEY=VALUE, or its KEY stands there twice", document.Shown(pair))
		}
		read[key] = value
	}
	return read, nil
}

// names are those of the resources that the probe works on.
func (p *probeCommand) names() (emco.Names, error) {
	if p.action.scope == ofRun && p.resources.run == "" {
		return emco.Names{}, fmt.Errorf("%s works on resources of a run's own: name the run with --run NAME", p.kind.Name)
	}
	return p.resources.names(templates(p.arguments)...)
}

// templates are the anchors that a probe with these arguments needs names for.
func templates(arguments map[string]any) []string {
	call := callIn(arguments)
	anchor, _ := arguments["anchor"].(string)
	return []string{call.Path, call.StatusPath, anchor}
}

func callIn(arguments map[string]any) emco.Call {
	name, _ := arguments["call"].(string)
	call, _ := emco.CallNamed(name)
	return call
}

func (p *probeCommand) setExpect(text string) error {
	kind, _, _ := strings.Cut(text, " ")
	if text != anyOutcome && !slices.Contains(emco.OutcomeKinds(), emco.OutcomeKind(kind)) {
		return errors.New("write accepted, rejected, \"rejected CODE\", refused, connection-lost, timeout, dns, tls, other or any")
	}
	p.expect = text
	return nil
}

// judge fails a call that has another outcome than was expected.
func (p *probeCommand) judge(result probes.Result) probes.Result {
	kind, _, _ := strings.Cut(result.Outcome, " ")
	if result.Conclusion == probes.Passed && !slices.Contains([]string{anyOutcome, result.Outcome, kind}, p.expect) {
		result.Conclusion = probes.Failed
		result.Message += " (expected " + p.expect + ")"
	}
	return result
}
