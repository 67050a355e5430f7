package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
)

func newDoctor(s *session) *cobra.Command {
	var options doctor.Options
	var output string
	var noInject, outage bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether experiments can be run on a target, and how to mend it",
		Long: `Find out whether experiments can be run on a target: the cluster, Chaos Mesh, our
rights, each selector and the exact pods that it matches, the services' answers,
what dead runs left, and whether network faults can be injected. For the last a
network fault that hurts nobody is put on one pod of each node for a moment.
Of a local target it looks at the cluster file, the programs, addresses and links
in it and the services' answers, for which the processes are started for a moment.
With --outage each service is taken down for a moment too, and a call is cut off
from its back end: nothing else shows whether something in front of a service
repeats requests, and whether a fault on the network drops anything.
Every line that is not ok says how to mend it.
Exit codes: 0 nothing failed, 2 usage, 4 something did.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if options.Limit <= 0 {
				return errors.New("--timeout must be more than 0")
			}
			if outage && noInject {
				return errors.New("--outage puts a fault on each service: leave it or --no-inject out")
			}
			if options.Target, err = s.needTarget(); err != nil {
				return err
			}
			return s.doctor(cmd.Context(), options, !noInject, outage, output == outputJSON)
		},
	}
	flags := command.Flags()
	cli.Output(command, &output, "text", outputJSON)
	flags.StringVar(&options.ChaosMesh, "chaos-mesh-namespace", chaosmesh.Namespace, "the `NAMESPACE` of Chaos Mesh")
	flags.StringVar(&options.Controller, "controller-namespace", os.Getenv("POD_NAMESPACE"), "the `NAMESPACE` of the controller, to look at its rights too; else $POD_NAMESPACE")
	flags.BoolVar(&noInject, "no-inject", false, "put no fault on anything")
	flags.BoolVar(&outage, "outage", false, "take each service down for a moment, and cut a call off from its back end, to see both have their effect")
	flags.DurationVar(&options.Limit, "timeout", 15*time.Second, "how long each check may take")
	return command
}

func (s *session) doctor(ctx context.Context, options doctor.Options, inject, outage, asJSON bool) error {
	target := options.Target
	options.TargetFile, options.Run = s.target, run.NewName()
	onCluster := target.Driver.Kubernetes != nil
	if onCluster {
		cluster, config, err := run.Connect(target)
		if err != nil {
			return failure(err)
		}
		options.Client, options.Server = cluster, config.Host
		if options.Discovery, err = discovery.NewDiscoveryClientForConfig(config); err != nil {
			return failure(fmt.Errorf("target %s: reach the cluster %s: %w", target.Name, config.Host, err))
		}
	}
	// The processes of a local target run for as long as it is looked at.
	var started *run.Target
	if inject || !onCluster {
		options.Open = func(ctx context.Context) (doctor.Driver, error) {
			opened, err := run.Open(ctx, target, func(string) {})
			if err != nil {
				return nil, err
			}
			if err := opened.Note(ctx, "doctor"); err != nil {
				return nil, errors.Join(err, opened.Close())
			}
			if !onCluster {
				started = opened
			}
			return opened, nil
		}
	}
	ctx, abandon, stop := interrupts(ctx, s.errs)
	defer stop()
	plugin, err := s.start(ctx, target)
	if err != nil {
		return err
	}
	defer plugin.Close()
	description, err := plugin.Describe(ctx)
	if err != nil {
		return failure(err)
	}
	options.Reach, options.Front = reach(plugin, description, options.Limit), doctor.Front
	if slices.ContainsFunc(description.Activities, func(activity sdk.Activity) bool { return activity.Name == "leftovers" }) {
		options.Remains = func(ctx context.Context) (doctor.Finding, error) { return remains(ctx, plugin, options.Limit) }
	}
	if outage {
		// on has a run made on the target, which a local one's processes have open.
		on := func(ctx context.Context, make func(*run.Target) (engine.Outcome, error)) (outcome engine.Outcome, err error) {
			if started != nil {
				return make(started)
			}
			opened, err := run.Open(ctx, target, s.tell)
			if err != nil {
				return outcome, err
			}
			defer func() { err = errors.Join(err, opened.Close()) }()
			return make(opened)
		}
		options.Outage = func(ctx context.Context, service string) (engine.Outcome, error) {
			return on(ctx, func(t *run.Target) (engine.Outcome, error) { return t.Front(ctx, plugin, service, abandon) })
		}
		options.Hold = func(ctx context.Context) (engine.Outcome, error) {
			return on(ctx, func(t *run.Target) (engine.Outcome, error) { return t.Hold(ctx, plugin, abandon) })
		}
	}
	found, err := doctor.Examine(ctx, options, func(finding doctor.Finding) {
		if !asJSON {
			// What cannot be printed here is told at the end.
			_ = doctor.Text(s.out, finding)
		}
	})
	if err != nil {
		return failure(err)
	}
	if asJSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(found)
	} else {
		_, err = fmt.Fprintln(s.out, found)
	}
	if err != nil {
		return failure(fmt.Errorf("print what was found: %w", err))
	}
	if !found.Healthy() {
		return cli.Ended(report.ExitError)
	}
	return nil
}

// asker is a plugin that does an activity outside of a run.
type asker interface {
	Ask(ctx context.Context, task sdk.Task, tell func(string)) (sdk.Result, error)
}

// ask has the plugin do an activity, which ends before the check does, and so says
// what it saw.
func ask(ctx context.Context, plugin asker, limit time.Duration, activity string, arguments map[string]any) (sdk.Result, error) {
	return plugin.Ask(ctx, sdk.Task{Run: "doctor", Timeout: limit - limit/5, Activity: activity, Arguments: arguments}, func(string) {})
}

// remains asks what dead runs left by the plugin's activity "leftovers", whose
// evidence lists it.
func remains(ctx context.Context, plugin asker, limit time.Duration) (doctor.Finding, error) {
	result, err := ask(ctx, plugin, limit, "leftovers", nil)
	finding := doctor.Finding{State: doctor.OK, Message: result.Message}
	switch wedged := result.Evidence["wedged"]; {
	case result.Conclusion == sdk.Errored:
		err = cmp.Or(err, errors.New(result.Message))
	case wedged != "":
		finding.State, finding.Subject = doctor.Fail, wedged
		finding.Message = fmt.Sprintf("wedged: the system refuses everything about it, which blocks %s", result.Evidence["blocks"])
	case len(result.Evidence) > 0:
		finding.State = doctor.Warn
	}
	return finding, err
}

// reach asks services by the plugin's activity "available", if it has that: it
// knows what an answer of each service is worth. The others are asked over
// HTTP.
func reach(plugin *run.Plugin, description sdk.Description, limit time.Duration) func(context.Context, string, string) (string, error) {
	var known []string
	for _, one := range description.Activities {
		if argument, has := one.First(activity.ServiceName); has && one.Name == "available" {
			known = argument.Allowed
		}
	}
	return func(ctx context.Context, service, url string) (string, error) {
		if !slices.Contains(known, service) {
			return doctor.AnyAnswer(ctx, url)
		}
		result, err := ask(ctx, plugin, limit, "available", map[string]any{"service": service})
		if err == nil && result.Conclusion != sdk.Passed {
			err = errors.New(result.Message)
		}
		return result.Message, err
	}
}
