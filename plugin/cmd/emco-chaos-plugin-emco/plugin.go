// Command emco-chaos-plugin-emco is the plugin for EMCO: the experiments and
// the probes behind the contract of package sdk. emco-chaos starts it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/language"
	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// version is set when a release is built.
var version = "dev"

func main() {
	if slices.Equal(os.Args[1:], []string{"--version"}) {
		fmt.Println("emco-chaos-plugin-emco version", version)
		return
	}
	sdk.Serve(&plugin{})
}

// plugin is the experiments and the probes behind the contract.
type plugin struct{ slowest sync.Map } // of attempts, by their names

func (*plugin) Describe(context.Context) (sdk.Description, error) {
	scenarios, err := experiments.List()
	if err != nil {
		return sdk.Description{}, err
	}
	description := language.Describe("emco", version, experiments.Catalogue(), scenarios)
	description.Activities = append(description.Activities, previewOf(description.Activities))
	return description, nil
}

func (*plugin) Compile(_ context.Context, source sdk.Source) (*plan.Plan, error) {
	target, err := readTarget(source.Target)
	if err != nil {
		return nil, err
	}
	text := experiments.Source{File: source.File, Data: source.Text}
	if source.Experiment != "" {
		if text, err = experiments.Read(source.Experiment); err != nil {
			return nil, document.Problems{{Field: "experiment", Message: err.Error(), Remedy: "emco-chaos list shows the experiments"}}
		}
	}
	compiled, problems := experiments.Compile(text, target, source.Parameters)
	return compiled, problems.Err()
}

func (p *plugin) Run(ctx context.Context, task sdk.Task, observer sdk.Observer) sdk.Result {
	result, err := p.run(ctx, task, observer)
	if err != nil {
		return sdk.Result{Conclusion: sdk.Errored, Message: err.Error()}
	}
	return result
}

func (p *plugin) run(ctx context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	on, err := subject(task)
	if err != nil {
		return sdk.Result{}, err
	}
	seen, _ := p.slowest.LoadOrStore(on.Names.String(), &probes.Slowest{})
	on.Slowest = seen.(*probes.Slowest)
	if task.Activity == previewName {
		return preview(on, task, observer)
	}
	probe, err := probes.New(task.Activity, task.Arguments)
	if err != nil {
		return sdk.Result{}, err
	}
	return probe.Run(ctx, on, observer), nil
}

// readTarget reads the target that the host sent; else it is EMCO's own chart's.
func readTarget(data []byte) (*target.Target, error) {
	if len(data) == 0 {
		return experiments.ChartTarget()
	}
	read := &target.Target{}
	if err := json.Unmarshal(data, read); err != nil {
		return nil, fmt.Errorf("read the target: %w", err)
	}
	return read, nil
}

// subject is what a task's probe works on: the target's EMCO, and the resources of
// the run and attempt, or existing ones that the target names.
func subject(task sdk.Task) (probes.Subject, error) {
	target, err := readTarget(task.Target)
	if err != nil {
		return probes.Subject{}, err
	}
	reached, err := access.Of(target)
	if err != nil {
		return probes.Subject{}, err
	}
	on := probes.Subject{Existing: target.UseExisting, Settle: task.Settle, Setup: reached.Setup, Recheck: task.Recheck}
	// The calls that may still take effect.
	for _, sent := range task.Unanswered {
		name, _ := sent.Arguments["call"].(string)
		if call, known := emco.CallNamed(name); known {
			on.Unanswered = append(on.Unanswered, call)
		}
	}
	on.Names, err = emco.NewNames(task.Run, max(1, task.Attempt))
	if err == nil && on.Existing {
		on.Names, err = on.Names.Choose(reached.Existing)
	}
	if err != nil {
		return probes.Subject{}, err
	}
	on.Client, err = emco.New(reached.Client)
	return on, err
}
