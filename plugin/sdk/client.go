package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Client asks a plugin by the contract.
type Client struct{ wire pluginv1.PluginClient }

// Describe asks what the plugin has.
func (c *Client) Describe(ctx context.Context) (Description, error) {
	response, err := c.wire.Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return Description{}, wireError("ask the plugin what it has", err)
	}
	return descriptionFromWire(response)
}

// Compile has the plugin make a plan. Mistakes are [document.Problems].
func (c *Client) Compile(ctx context.Context, source Source) (*plan.Plan, error) {
	request := &pluginv1.CompileRequest{Target: source.Target, Parameters: source.Parameters}
	if source.Experiment != "" {
		request.Source = &pluginv1.CompileRequest_Experiment{Experiment: source.Experiment}
	} else {
		request.Source = &pluginv1.CompileRequest_File{File: &pluginv1.File{Name: source.File, Text: source.Text}}
	}
	response, err := c.wire.Compile(ctx, request)
	if err != nil {
		return nil, wireError("have the plugin compile the experiment", err)
	}
	if problems := response.GetProblems(); len(problems) > 0 {
		list, err := recode[document.Problems](problems[:min(len(problems), problemLimit)])
		if err != nil {
			return nil, err
		}
		return nil, list
	}
	if response.GetPlan() == nil {
		return nil, fmt.Errorf("%w: it sent neither a plan nor a problem", ErrContract)
	}
	compiled, err := planFromWire(response.GetPlan())
	if err != nil {
		return nil, fmt.Errorf("%w: its plan: %w", ErrContract, err)
	}
	// The plan in the journal can be larger than what came over the wire. A plan
	// that is no JSON is left to plan.Check.
	if text, err := json.Marshal(compiled); err == nil && len(text) > planLimit {
		return nil, fmt.Errorf("%w: its plan has %d KiB of JSON, and %d is the limit; make it smaller", ErrFlood, len(text)>>10, planLimit>>10)
	}
	return compiled, nil
}

// Run has the plugin do one activity. What it sees goes to the observer.
func (c *Client) Run(ctx context.Context, task Task, observer Observer) (Result, error) {
	request, err := taskToWire(task)
	if err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	doing := "have the plugin do " + task.Activity
	stream, err := c.wire.Run(ctx, request)
	if err != nil {
		return Result{}, wireError(doing, err)
	}
	// Nothing that the activity sees happened before it was asked for.
	receiver := receiver{activity: task.Activity, observer: observer, last: time.Now()}
	for {
		response, err := stream.Recv()
		receiver.now = time.Now()
		switch {
		case errors.Is(err, io.EOF):
			return Result{}, receiver.violates("ended without a result")
		case err != nil:
			return Result{}, wireError(doing, err)
		}
		if result, done, err := receiver.receive(response); done || err != nil {
			return result, err
		}
	}
}
