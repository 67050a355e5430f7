package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
	"k8s.io/client-go/discovery"
)

// examining says how a target is examined.
type examining struct {
	output     string
	chaosMesh  string
	controller string
	noInject   bool
	limit      time.Duration
}

func newDoctor(s *session) *cobra.Command {
	var how examining
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Find out whether experiments can be run on a target, and how to mend it",
		Long: `Find out whether experiments can be run on a target: the cluster, Chaos Mesh, our
rights, each selector and the exact pods that it matches, the services' answers,
what dead runs left, and whether network faults can be injected. For the last a
network fault that hurts nobody is put on one pod of each node for a moment.
Every line that is not ok says how to mend it.
Exit codes: 0 nothing failed, 2 usage, 4 something did.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.doctor(cmd.Context(), how) },
	}
	flags := command.Flags()
	outputFlag(command, &how.output)
	flags.StringVar(&how.chaosMesh, "chaos-mesh-namespace", doctor.DefaultChaosMeshNamespace, "the `NAMESPACE` of Chaos Mesh")
	flags.StringVar(&how.controller, "controller-namespace", os.Getenv("POD_NAMESPACE"), "the `NAMESPACE` of the controller, to look at its rights too; else $POD_NAMESPACE")
	flags.BoolVar(&how.noInject, "no-inject", false, "put no fault on anything")
	flags.DurationVar(&how.limit, "timeout", 15*time.Second, "how long each check may take")
	return command
}

func (s *session) doctor(ctx context.Context, how examining) error {
	if how.limit <= 0 {
		return errors.New("--timeout must be more than 0")
	}
	target, err := s.needTarget()
	if err != nil {
		return err
	}
	if target.Driver.Kubernetes == nil {
		return fmt.Errorf("target %s: its driver is local, so there is no cluster to look at; name a target with driver: {kubernetes: {}}", target.Name)
	}
	cluster, config, err := run.Connect(target)
	if err != nil {
		return failure(err)
	}
	asked, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return failure(fmt.Errorf("target %s: reach the cluster %s: %w", target.Name, config.Host, err))
	}
	ctx, _, stop := interrupts(ctx, s.errs)
	defer stop()
	options := doctor.Options{
		Target: target, TargetFile: s.target, Server: config.Host,
		Client: cluster, Discovery: asked,
		ChaosMesh: how.chaosMesh, Controller: how.controller,
		Run: run.NewName(), Limit: how.limit,
	}
	if !how.noInject {
		options.Open = func(ctx context.Context) (doctor.Driver, error) { return openDriver(ctx, target) }
	}
	plugin, err := s.start(ctx, target)
	if err != nil {
		return err
	}
	defer plugin.Close()
	if options.Reach, err = reach(ctx, plugin, how.limit); err != nil {
		return err
	}
	found, err := doctor.Examine(ctx, options, func(finding doctor.Finding) {
		if how.output == outputText {
			// What cannot be printed here is told at the end.
			_ = doctor.Text(s.out, finding)
		}
	})
	if err != nil {
		return failure(err)
	}
	if how.output == outputJSON {
		encoder := json.NewEncoder(s.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(found); err != nil {
			return failure(fmt.Errorf("print what was found: %w", err))
		}
	} else if _, err := fmt.Fprintln(s.out, found); err != nil {
		return failure(fmt.Errorf("print what was found: %w", err))
	}
	if !found.Healthy() {
		return &exitError{code: report.ExitError}
	}
	return nil
}

// openDriver starts the target's driver with others kept off the target, to
// try faults out.
func openDriver(ctx context.Context, target *target.Target) (doctor.Driver, error) {
	opened, err := run.Open(ctx, target, func(string) {})
	if err != nil {
		return doctor.Driver{}, err
	}
	if err := opened.Note(ctx, "doctor"); err != nil {
		return doctor.Driver{}, errors.Join(err, opened.Close())
	}
	return doctor.Driver{Driver: opened, Close: opened.Close}, nil
}

// The plugin's activity that sees whether a service answers, and its argument.
const (
	availableActivity = "available"
	serviceArgument   = "service"
)

// reach asks services by the plugin, as far as it can: it knows what an answer
// of each is worth. The result is nil if it cannot.
func reach(ctx context.Context, plugin *run.Plugin, limit time.Duration) (func(context.Context, string, string) (string, error), error) {
	description, err := plugin.Describe(ctx)
	if err != nil {
		return nil, failure(err)
	}
	known := askable(description)
	if len(known) == 0 {
		return nil, nil
	}
	return func(ctx context.Context, service, url string) (string, error) {
		if !slices.Contains(known, service) {
			return doctor.AnyAnswer(ctx, service, url)
		}
		// It ends before the check does, and so says what it saw.
		result, err := plugin.Ask(ctx, sdk.Task{
			Run: "doctor", Timeout: limit - limit/5, Activity: availableActivity, Arguments: map[string]any{serviceArgument: service},
		}, func(string) {})
		switch {
		case err != nil:
			return "", err
		case result.Conclusion != sdk.Passed:
			return "", errors.New(result.Message)
		}
		return result.Message, nil
	}, nil
}

// askable are the services that the plugin can see answer.
func askable(description sdk.Description) []string {
	for _, activity := range description.Activities {
		if activity.Name != availableActivity {
			continue
		}
		for _, argument := range activity.Arguments {
			if argument.Name == serviceArgument {
				return argument.Allowed
			}
		}
	}
	return nil
}
