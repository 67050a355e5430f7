package sdk

import (
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// each converts a list.
func each[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, one := range list {
		converted[i] = convert(one)
	}
	return converted
}

func describe(d Description) *pluginv1.DescribeResponse {
	return &pluginv1.DescribeResponse{
		Name: d.Name, Version: d.Version, Schema: d.Schema,
		Experiments: each(d.Experiments, func(e Experiment) *pluginv1.Experiment {
			return &pluginv1.Experiment{
				Name: e.Name, Title: e.Title, Description: e.Description,
				Parameters: each(e.Parameters, func(p Parameter) *pluginv1.Parameter {
					return &pluginv1.Parameter{Name: p.Name, Type: string(p.Type), Default: p.Default, Allowed: p.Allowed, Description: p.Description}
				}),
			}
		}),
		Activities: each(d.Activities, func(a Activity) *pluginv1.Activity {
			return &pluginv1.Activity{
				Name: a.Name, Summary: a.Summary, Events: a.Events, Ends: a.Ends,
				Arguments: each(a.Arguments, func(a Argument) *pluginv1.Argument {
					return &pluginv1.Argument{Name: a.Name, Type: string(a.Type), Required: a.Required, Allowed: a.Allowed, Description: a.Description}
				}),
			}
		}),
	}
}

func described(d *pluginv1.DescribeResponse) Description {
	return Description{
		Name: d.GetName(), Version: d.GetVersion(), Schema: d.GetSchema(),
		Experiments: each(d.GetExperiments(), func(e *pluginv1.Experiment) Experiment {
			return Experiment{
				Name: e.GetName(), Title: e.GetTitle(), Description: e.GetDescription(),
				Parameters: each(e.GetParameters(), func(p *pluginv1.Parameter) Parameter {
					return Parameter{Name: p.GetName(), Type: activity.Type(p.GetType()), Default: p.GetDefault(), Allowed: p.GetAllowed(), Description: p.GetDescription()}
				}),
			}
		}),
		Activities: each(d.GetActivities(), func(a *pluginv1.Activity) Activity {
			return Activity{
				Name: a.GetName(), Summary: a.GetSummary(), Events: a.GetEvents(), Ends: a.GetEnds(),
				Arguments: each(a.GetArguments(), func(a *pluginv1.Argument) Argument {
					return Argument{Name: a.GetName(), Type: activity.Type(a.GetType()), Required: a.GetRequired(), Allowed: a.GetAllowed(), Description: a.GetDescription()}
				}),
			}
		}),
	}
}

// planToWire fails on arguments that are not JSON's types.
func planToWire(p *plan.Plan) (*pluginv1.Plan, error) {
	wire := &pluginv1.Plan{
		Experiment: p.Experiment, Title: p.Title, Description: p.Description, Target: p.Target,
		Attempts: int32(p.Attempts), Parameters: p.Parameters,
		Evidence: each(p.Evidence, plan.Claim.String), Touches: p.Touches,
	}
	var err error
	if wire.Given, err = stepToWire(p.Given); err != nil {
		return nil, err
	}
	if wire.Teardown, err = stepToWire(p.Teardown); err != nil {
		return nil, err
	}
	for _, step := range p.Steps {
		converted, err := stepToWire(step)
		if err != nil {
			return nil, err
		}
		wire.Steps = append(wire.Steps, converted)
	}
	return wire, nil
}

func stepToWire(s plan.Step) (*pluginv1.Step, error) {
	wire := &pluginv1.Step{
		Name: s.Name, After: each(s.After, plan.Ref.String), Delay: durationpb.New(time.Duration(s.Delay)),
		While: s.While, Until: each(s.Until, plan.Ref.String), Timeout: durationpb.New(time.Duration(s.Timeout)),
		Expect: s.Expect, Otherwise: s.Otherwise,
	}
	switch {
	case s.Fault != nil:
		wire.What = &pluginv1.Step_Fault{Fault: &pluginv1.Fault{
			Kind: s.Fault.Kind, Action: s.Fault.Action, Summary: s.Fault.Summary, Object: s.Fault.Object,
		}}
	case s.Activity != nil:
		arguments, err := structpb.NewStruct(s.Activity.Arguments)
		if err != nil {
			return nil, fmt.Errorf("the arguments of step %s: %w", s.Name, err)
		}
		wire.What = &pluginv1.Step_Activity{Activity: &pluginv1.Task{
			Activity: s.Activity.Name, Arguments: arguments, Summary: s.Activity.Summary, Service: s.Activity.Service,
			Events: s.Activity.Events, Ends: s.Activity.Ends, Lasting: s.Activity.Lasting,
		}}
	}
	return wire, nil
}

// planFromWire fails on events and claims that cannot be read.
func planFromWire(wire *pluginv1.Plan) (*plan.Plan, error) {
	p := &plan.Plan{
		Experiment: wire.GetExperiment(), Title: wire.GetTitle(), Description: wire.GetDescription(),
		Target: wire.GetTarget(), Attempts: int(wire.GetAttempts()), Parameters: wire.GetParameters(),
		Touches: each(wire.GetTouches(), func(text string) string { return calm(cut(text, textLimit)) }),
	}
	var err error
	if p.Given, err = stepFromWire(wire.GetGiven()); err != nil {
		return nil, err
	}
	if p.Teardown, err = stepFromWire(wire.GetTeardown()); err != nil {
		return nil, err
	}
	for _, step := range wire.GetSteps() {
		converted, err := stepFromWire(step)
		if err != nil {
			return nil, err
		}
		p.Steps = append(p.Steps, converted)
	}
	for _, text := range wire.GetEvidence() {
		claim, err := plan.ParseClaim(text)
		if err != nil {
			return nil, err
		}
		p.Evidence = append(p.Evidence, claim)
	}
	return p, nil
}

func stepFromWire(wire *pluginv1.Step) (plan.Step, error) {
	s := plan.Step{
		Name: wire.GetName(), Delay: plan.Duration(wire.GetDelay().AsDuration()), While: wire.GetWhile(),
		Timeout: plan.Duration(wire.GetTimeout().AsDuration()), Expect: wire.GetExpect(), Otherwise: wire.GetOtherwise(),
	}
	var err error
	if s.After, err = refsFromWire(wire.GetAfter()); err != nil {
		return s, fmt.Errorf("step %s: after: %w", s.Name, err)
	}
	if s.Until, err = refsFromWire(wire.GetUntil()); err != nil {
		return s, fmt.Errorf("step %s: until: %w", s.Name, err)
	}
	if f := wire.GetFault(); f != nil {
		s.Fault = &plan.Fault{Kind: f.GetKind(), Action: f.GetAction(), Summary: f.GetSummary(), Object: f.GetObject()}
	}
	if a := wire.GetActivity(); a != nil {
		s.Activity = &plan.Activity{
			Name: a.GetActivity(), Arguments: a.GetArguments().AsMap(), Summary: a.GetSummary(), Service: a.GetService(),
			Events: a.GetEvents(), Ends: a.GetEnds(), Lasting: a.GetLasting(),
		}
	}
	return s, nil
}

func refsFromWire(texts []string) ([]plan.Ref, error) {
	var refs []plan.Ref
	for _, text := range texts {
		ref, err := plan.ParseRef(text)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

func problemToWire(p document.Problem) *pluginv1.Problem {
	return &pluginv1.Problem{File: p.File, Line: int32(p.Line), Column: int32(p.Column), Field: p.Field, Message: p.Message, Remedy: p.Remedy}
}

func problemFromWire(p *pluginv1.Problem) document.Problem {
	return document.Problem{File: p.GetFile(), Line: int(p.GetLine()), Column: int(p.GetColumn()), Field: p.GetField(), Message: p.GetMessage(), Remedy: p.GetRemedy()}
}
