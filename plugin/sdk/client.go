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
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// ErrNonsense says that a plugin answered something that the contract does
// not allow.
var ErrNonsense = errors.New("the plugin does not keep to the contract")

// Client asks a plugin by the contract.
type Client struct {
	wire pluginv1.PluginClient
}

// NewClient asks over the connection.
func NewClient(connection grpc.ClientConnInterface) *Client {
	return &Client{wire: pluginv1.NewPluginClient(connection)}
}

// Describe asks what the plugin has.
func (c *Client) Describe(ctx context.Context) (Description, error) {
	response, err := c.wire.Describe(ctx, &pluginv1.DescribeRequest{})
	if err != nil {
		return Description{}, answered("ask the plugin what it has", err)
	}
	return calmed(described(response)), nil
}

// Compile has the plugin make a plan. Mistakes in the experiment or the
// target are [plan.Problems].
func (c *Client) Compile(ctx context.Context, source Source) (*plan.Plan, error) {
	request := &pluginv1.CompileRequest{Target: source.Target, Parameters: source.Parameters}
	if source.Experiment != "" {
		request.Source = &pluginv1.CompileRequest_Experiment{Experiment: source.Experiment}
	} else {
		request.Source = &pluginv1.CompileRequest_File{File: &pluginv1.File{Name: source.File, Text: source.Text}}
	}
	response, err := c.wire.Compile(ctx, request)
	if err != nil {
		return nil, answered("have the plugin compile the experiment", err)
	}
	if problems := response.GetProblems(); len(problems) > 0 {
		problems = problems[:min(len(problems), problemLimit)]
		return nil, document.Problems(each(problems, problemFromWire))
	}
	if response.GetPlan() == nil {
		return nil, fmt.Errorf("%w: it sent neither a plan nor a problem", ErrNonsense)
	}
	compiled, err := planFromWire(response.GetPlan())
	if err != nil {
		return nil, fmt.Errorf("%w: its plan: %w", ErrNonsense, err)
	}
	// The journal begins with the plan, as JSON, which can be larger than
	// what came over the wire.
	// A plan that is no JSON is for plan.Check to tell.
	if text, err := json.Marshal(compiled); err == nil && len(text) > planLimit {
		return nil, fmt.Errorf("%w: its plan has %d KiB of JSON, and %d is the limit; make it smaller", ErrFlood, len(text)>>10, planLimit>>10)
	}
	return compiled, nil
}

// Run has the plugin do one activity. What it sees goes to the observer.
func (c *Client) Run(ctx context.Context, task Task, observer Observer) (Result, error) {
	arguments, err := structpb.NewStruct(task.Arguments)
	if err != nil {
		return Result{}, fmt.Errorf("the arguments of %s: %w", task.Activity, err)
	}
	var unanswered []*pluginv1.Sent
	for _, sent := range task.Unanswered {
		arguments, err := structpb.NewStruct(sent.Arguments)
		if err != nil {
			return Result{}, fmt.Errorf("the arguments of %s: %w", sent.Activity, err)
		}
		unanswered = append(unanswered, &pluginv1.Sent{Activity: sent.Activity, Arguments: arguments})
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.wire.Run(ctx, &pluginv1.RunRequest{
		Run: task.Run, Attempt: int32(task.Attempt), Target: task.Target,
		Activity: task.Activity, Arguments: arguments, Timeout: durationpb.New(task.Timeout), Resources: task.Resources,
		Unanswered: unanswered, Settle: durationpb.New(task.Settle),
	})
	if err != nil {
		return Result{}, answered("have the plugin do "+task.Activity, err)
	}
	// Nothing that the activity sees happened before it was asked for.
	clock := clock{last: time.Now()}
	var sent budget
	for {
		response, err := stream.Recv()
		clock.now = time.Now()
		switch {
		case errors.Is(err, io.EOF):
			return Result{}, fmt.Errorf("%w: %s ended without a result", ErrNonsense, task.Activity)
		case err != nil:
			return Result{}, answered("have the plugin do "+task.Activity, err)
		}
		if err := sent.take(task, response); err != nil {
			return Result{}, err
		}
		switch item := response.GetItem().(type) {
		case *pluginv1.RunResponse_Event:
			if err := checkEvent(task, item.Event.GetName()); err != nil {
				return Result{}, err
			}
			observer.Event(item.Event.GetName(), clock.moment(item.Event.GetAge()), cutAll(item.Event.GetDetail()))
		case *pluginv1.RunResponse_Note:
			observer.Note(clock.moment(item.Note.GetAge()), cut(item.Note.GetText(), textLimit))
		case *pluginv1.RunResponse_Resource:
			resource := Resource{
				Anchor: item.Resource.GetAnchor(), State: ResourceState(item.Resource.GetState()), Reason: cut(item.Resource.GetReason(), textLimit),
			}
			if err := checkResource(task, resource); err != nil {
				return Result{}, err
			}
			observer.Resource(resource)
		case *pluginv1.RunResponse_Result:
			return result(task, item.Result)
		default:
			return Result{}, fmt.Errorf("%w: %s sent an empty message", ErrNonsense, task.Activity)
		}
	}
}

// clock turns the ages of one activity's moments into times of this process.
// A moment comes out later than it was by the time that its message was under
// way, which differs from message to message; the moments of one activity
// keep their order all the same.
type clock struct{ now, last time.Time }

func (c *clock) moment(age *durationpb.Duration) time.Time {
	// Nothing happens after it is told.
	at := c.now.Add(-max(0, age.AsDuration()))
	if !at.After(c.last) {
		at = c.last.Add(time.Nanosecond)
	}
	c.last = at
	return at
}

func result(task Task, wire *pluginv1.Result) (Result, error) {
	r := Result{
		Conclusion: Conclusion(wire.GetConclusion()), Message: cut(wire.GetMessage(), textLimit),
		Outcome: wire.GetOutcome(), Evidence: cutAll(wire.GetEvidence()),
	}
	switch r.Conclusion {
	case Passed, Failed, Inconclusive, Errored:
	default:
		return Result{}, fmt.Errorf("%w: %s concluded %q; it is %s, %s, %s or %s", ErrNonsense, task.Activity, cut(string(r.Conclusion), 80), Passed, Failed, Inconclusive, Errored)
	}
	if r.Outcome != "" && !plan.IsOutcome(r.Outcome) {
		return Result{}, fmt.Errorf("%w: %s says that its outcome is %q, and a plan knows no such outcome", ErrNonsense, task.Activity, cut(r.Outcome, 80))
	}
	return r, nil
}
