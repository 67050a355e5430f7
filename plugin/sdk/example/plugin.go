package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/language"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// version is set when a release is built.
var version = "dev"

// The experiment that this plugin brings. Users may write others.
//
//go:embed write-survives-a-kill.yaml
var experiment []byte

const (
	experimentName = "write-survives-a-kill"
	experimentFile = experimentName + ".yaml"
)

// plugin is what emco-chaos asks: what there is, how to compile an
// experiment, and to do one activity after another.
type plugin struct{}

func (plugin) Describe(context.Context) (sdk.Description, error) {
	own, problems := scenario.Describe(experimentFile, experiment)
	if err := problems.Err(); err != nil {
		return sdk.Description{}, err
	}
	return language.Describe("counter", version, catalogue(), []sdk.Experiment{own}), nil
}

func (plugin) Compile(_ context.Context, source sdk.Source) (*plan.Plan, error) {
	target, err := readTarget(source.Target)
	if err != nil {
		return nil, err
	}
	file, text := source.File, source.Text
	switch source.Experiment {
	case "":
	case experimentName:
		file, text = experimentFile, experiment
	default:
		return nil, document.Problems{{Field: "experiment", Message: "there is no experiment " + source.Experiment, Remedy: "write " + experimentName}}
	}
	compiled, problems := scenario.Compile(file, text, catalogue(), target, source.Parameters)
	if err := problems.Err(); err != nil {
		return nil, err
	}
	return compiled, nil
}

func (plugin) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) sdk.Result {
	target, err := readTarget(task.Target)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	do, known := activities[task.Activity]
	if !known {
		return sdk.Result{Conclusion: sdk.Errored, Message: "there is no activity " + task.Activity}
	}
	prefix, _ := target.Settings["prefix"].(string)
	return do(ctx, system{
		url:    target.Services[service].URL,
		prefix: prefix + "-",
		name:   fmt.Sprintf("%s-%s-%d", prefix, task.Run, task.Attempt),
	}, task, observer)
}

// readTarget reads the target that the host sent; without one it is a service
// that was started by hand.
func readTarget(data []byte) (*target.Target, error) {
	if len(data) == 0 {
		return &target.Target{Name: "counter", Services: map[string]target.Service{
			service: {URL: "http://127.0.0.1:8080", Namespace: "counter", Labels: map[string]string{"app": "counter"}},
		}}, nil
	}
	target := &target.Target{}
	if err := json.Unmarshal(data, target); err != nil {
		return nil, fmt.Errorf("read the target: %w", err)
	}
	if prefix, ok := target.Settings["prefix"].(string); !ok || prefix == "" {
		return nil, document.Problems{{Field: "spec.settings.prefix", Message: "is missing from the target " + target.Name, Remedy: "write a text that this plugin's counters begin with"}}
	}
	return target, nil
}
