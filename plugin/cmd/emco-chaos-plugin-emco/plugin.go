package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes"
)

// version is set when a release is built.
var version = "dev"

// plugin is the experiments and the probes behind the contract.
type plugin struct{}

func (plugin) Describe(context.Context) (sdk.Description, error) {
	description := sdk.Description{Name: "emco", Version: version}
	scenarios, err := experiments.List()
	if err != nil {
		return sdk.Description{}, err
	}
	for _, one := range scenarios {
		description.Experiments = append(description.Experiments, sdk.Experiment{
			Name: one.Name, Title: one.Title, Description: one.Description, Parameters: parameters(one.Parameters),
		})
	}
	for _, activity := range experiments.Catalogue().Activities {
		one := sdk.Activity{Name: activity.Name, Summary: activity.Summary, Events: activity.Events, Ends: activity.Ends}
		for _, argument := range activity.Arguments {
			one.Arguments = append(one.Arguments, sdk.Argument{
				Name: argument.Name, Type: string(argument.Type), Required: argument.Required,
				Allowed: argument.Allowed, Description: argument.Description,
			})
		}
		description.Activities = append(description.Activities, one)
	}
	return description, nil
}

func parameters(list []scenario.Parameter) []sdk.Parameter {
	var converted []sdk.Parameter
	for _, parameter := range list {
		one := sdk.Parameter{Name: parameter.Name, Type: string(parameter.Type), Allowed: parameter.Allowed, Description: parameter.Description}
		switch {
		case parameter.Default != nil:
			one.Default = *parameter.Default
		case parameter.Follows != "":
			one.Default = "as " + parameter.Follows + " has it"
		}
		converted = append(converted, one)
	}
	return converted
}

func (plugin) Compile(_ context.Context, source sdk.Source) (*plan.Plan, error) {
	target, err := target(source.Target)
	if err != nil {
		return nil, err
	}
	text := experiments.Source{File: source.File, Data: source.Text}
	if source.Experiment != "" {
		if text, err = experiments.Read(source.Experiment); err != nil {
			return nil, plan.Problems{{Field: "experiment", Message: err.Error(), Remedy: "emco-chaos list shows the experiments"}}
		}
	}
	compiled, problems := experiments.Compile(text, target, source.Parameters)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return compiled, nil
}

func (plugin) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) sdk.Result {
	probe, err := probes.New(task.Activity, task.Arguments)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	subject, err := subject(task)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	result := probe.Run(ctx, subject, relay{observer})
	return sdk.Result{
		Conclusion: sdk.Conclusion(result.Conclusion), Message: result.Message,
		Outcome: result.Outcome, Evidence: result.Evidence,
	}
}

// relay passes on what a probe sees.
type relay struct{ to sdk.Observer }

func (r relay) Event(name string, at time.Time, detail map[string]string) {
	r.to.Event(name, at, detail)
}
func (r relay) Note(at time.Time, text string) { r.to.Note(at, text) }
func (r relay) Resource(resource probes.Resource) {
	r.to.Resource(sdk.Resource{Anchor: resource.Anchor, State: sdk.ResourceState(resource.State), Reason: resource.Reason})
}

// target reads the target that the host sent; without one it is an EMCO as
// its own chart installs it.
func target(data []byte) (*plan.Target, error) {
	if len(data) == 0 {
		return experiments.ChartTarget()
	}
	target := &plan.Target{}
	if err := json.Unmarshal(data, target); err != nil {
		return nil, fmt.Errorf("read the target: %w", err)
	}
	return target, nil
}
