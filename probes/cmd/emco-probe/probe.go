package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/spf13/cobra"
)

// asking is one run of a probe from the command line.
type asking struct {
	kind      probes.Kind
	endpoints endpoints
	naming    naming
	texts     map[string]*string
	given     map[string]string
	timeout   time.Duration
	expect    string
	output    string
	dryRun    bool
	out       io.Writer
	errs      io.Writer
}

const (
	callProbe     = "call"
	ensureProbe   = "ensure"
	teardownProbe = "teardown"
	cleanProbe    = "clean"
	anyOutcome    = "any"
)

func newProbe(kind probes.Kind, out, errs io.Writer) *cobra.Command {
	a := &asking{kind: kind, texts: map[string]*string{}, out: out, errs: errs}
	command := &cobra.Command{
		Use:   dashed(kind.Name),
		Short: strings.ToUpper(kind.Summary[:1]) + kind.Summary[1:],
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.run(cmd.Context()) },
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
		if argument.Type == activity.Mapping {
			flags.StringToStringVar(&a.given, argument.Name, nil, usage+", written as KEY=VALUE,...")
			continue
		}
		a.texts[argument.Name] = flags.String(argument.Name, "", usage)
	}
	a.endpoints.flags(command)
	switch kind.Name {
	case cleanProbe:
	case teardownProbe, ensureProbe:
		a.naming.runFlags(command)
		a.endpoints.making(command)
	default:
		a.naming.flags(command)
		if kind.Changes() {
			a.endpoints.making(command)
		}
	}
	if kind.Name == callProbe {
		flags.StringVar(&a.expect, "expect", string(emco.Accepted), "the `OUTCOME` that passes: accepted, rejected, \"rejected CODE\", refused, connection-lost, timeout or any")
	}
	if kind.Changes() {
		flags.BoolVar(&a.dryRun, "dry-run", false, "say what would be done, and do nothing")
	}
	limit := time.Minute
	if slices.Contains([]string{ensureProbe, teardownProbe, cleanProbe}, kind.Name) {
		limit = 5 * time.Minute
	}
	flags.DurationVar(&a.timeout, "timeout", limit, "how long it may take")
	flags.StringVarP(&a.output, "output", "o", outputText, "the output's `FORM`: text, json or emcoctl")
	return command
}

// dashed writes notFinal as not-final.
func dashed(name string) string {
	var text strings.Builder
	for _, char := range name {
		if char >= 'A' && char <= 'Z' {
			text.WriteByte('-')
			char += 'a' - 'A'
		}
		text.WriteRune(char)
	}
	return text.String()
}

func (a *asking) run(ctx context.Context) error {
	if a.timeout <= 0 {
		return fmt.Errorf("--timeout must be more than 0")
	}
	if err := checkOutput(a.output); err != nil {
		return err
	}
	if err := a.checkExpect(); err != nil {
		return err
	}
	arguments := a.arguments()
	probe, err := a.kind.New(arguments)
	if err != nil {
		return err
	}
	watcher := newWatcher(a.output, a.out, a.errs)
	client, setup, err := a.endpoints.open(a.timeout, watcher.answered)
	if err != nil {
		return err
	}
	names, err := a.names(arguments)
	if err != nil {
		return err
	}
	subject := probes.Subject{Client: client, Names: names, Setup: setup}
	if a.kind.Changes() {
		what, err := intention(a.kind, arguments, subject)
		if err != nil {
			return err
		}
		if a.dryRun {
			fmt.Fprintln(a.out, "would "+what)
			return nil
		}
		fmt.Fprintln(a.errs, "will "+what)
	}

	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	result := a.judge(probe.Run(ctx, subject, watcher))
	if err := watcher.end(a.kind.Name, result); err != nil {
		return broken(err)
	}
	code, known := map[probes.Conclusion]int{
		probes.Passed: exitPassed, probes.Failed: exitFailed, probes.Inconclusive: exitInconclusive,
	}[result.Conclusion]
	if !known {
		code = exitError
	}
	if code == exitPassed {
		return nil
	}
	return &exitCode{code: code}
}

func (a *asking) arguments() map[string]any {
	arguments := map[string]any{}
	for name, text := range a.texts {
		if *text != "" {
			arguments[name] = *text
		}
	}
	if a.given != nil {
		object := map[string]any{}
		for key, text := range a.given {
			object[key] = text
		}
		arguments["given"] = object
	}
	return arguments
}

// names are those that the probe needs.
func (a *asking) names(arguments map[string]any) (emco.Names, error) {
	switch a.kind.Name {
	case cleanProbe:
		return emco.NewNames(nobody, 1)
	case ensureProbe, teardownProbe:
		if a.naming.run == "" {
			return emco.Names{}, fmt.Errorf("%s works on resources of a run's own: name the run with --run NAME", a.kind.Name)
		}
		return emco.NewNames(a.naming.run, a.naming.attempt)
	}
	return a.naming.names(templates(arguments)...)
}

// templates are the anchors that a probe with these arguments needs names
// for.
func templates(arguments map[string]any) []string {
	var list []string
	if name, ok := arguments["call"].(string); ok {
		if call, known := emco.CallNamed(name); known {
			list = append(list, call.Path, call.StatusPath)
		}
	}
	if anchor, ok := arguments["anchor"].(string); ok {
		list = append(list, anchor)
	}
	return list
}

// intention says what a probe that changes something is about to do.
func intention(kind probes.Kind, arguments map[string]any, on probes.Subject) (string, error) {
	own := func() string {
		return fmt.Sprintf("%s and %s, with all that is below them", on.Names.Anchor("{project}"), on.Names.Anchor("{provider}"))
	}
	switch kind.Name {
	case ensureProbe:
		given, _ := arguments["given"].(map[string]any)
		state, err := emco.ParseGiven(given)
		return fmt.Sprintf("make %s, until: %s", own(), state), err
	case teardownProbe:
		return "terminate and remove " + own() + ", as far as they carry the run's mark", nil
	case cleanProbe:
		run, _ := arguments["run"].(string)
		if run == "" {
			return "terminate and remove everything that carries the mark of any run of emco-chaos", nil
		}
		return "terminate and remove everything that carries the mark of the run " + run, nil
	}
	name, _ := arguments["call"].(string)
	call, _ := emco.CallNamed(name)
	url, err := on.Client.URL(call.Request(on.Names, emco.Material{}))
	if kind.Name == callProbe {
		return "POST " + url + ", once", err
	}
	return "ask for the status, and unless it shows the call under way or done, POST " + url + " until it is accepted", err
}

func (a *asking) checkExpect() error {
	if a.kind.Name != callProbe || a.expect == anyOutcome {
		return nil
	}
	kind, _, _ := strings.Cut(a.expect, " ")
	if !slices.Contains(emco.OutcomeKinds(), emco.OutcomeKind(kind)) {
		return fmt.Errorf("--expect %s: write accepted, rejected, \"rejected CODE\", refused, connection-lost, timeout, dns, tls, other or any", a.expect)
	}
	return nil
}

// judge holds the outcome of a call against what was expected.
func (a *asking) judge(result probes.Result) probes.Result {
	if a.kind.Name != callProbe || a.expect == anyOutcome || result.Conclusion != probes.Passed {
		return result
	}
	kind, _, _ := strings.Cut(result.Outcome, " ")
	if a.expect != result.Outcome && a.expect != kind {
		result.Conclusion = probes.Failed
		result.Message += " (expected " + a.expect + ")"
	}
	return result
}
