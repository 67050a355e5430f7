package sdk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
)

func each[From, To any](list []From, convert func(From) To) []To {
	converted, _ := eachOr(list, func(one From) (To, error) { return convert(one), nil })
	return converted
}

func eachOr[From, To any](list []From, convert func(From) (To, error)) ([]To, error) {
	if list == nil {
		return nil, nil
	}
	converted := make([]To, len(list))
	for i, one := range list {
		var err error
		if converted[i], err = convert(one); err != nil {
			return nil, err
		}
	}
	return converted, nil
}

func values(texts map[string]string, convert func(string) string) map[string]string {
	if texts == nil {
		return nil
	}
	converted := make(map[string]string, len(texts))
	for key, text := range texts {
		converted[convert(key)] = convert(text)
	}
	return converted
}

// recode converts between a type of this package and its message by their
// JSON, in which both have the same names.
func recode[To any](from any) (to To, err error) {
	data, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(data, &to)
	}
	if err != nil {
		return to, fmt.Errorf("convert %T to %T: %w", from, to, err)
	}
	return to, nil
}

// descriptionFromWire cleans the texts that lists show.
func descriptionFromWire(wire *pluginv1.DescribeResponse) (Description, error) {
	description, err := recode[Description](wire)
	clean := func(texts ...*string) {
		for _, text := range texts {
			*text = document.Lines(*text)
		}
	}
	clean(&description.Name, &description.Version)
	for i := range description.Experiments {
		experiment := &description.Experiments[i]
		clean(&experiment.Name, &experiment.Title, &experiment.Description)
		for j := range experiment.Parameters {
			parameter := &experiment.Parameters[j]
			clean(&parameter.Name, &parameter.Default, &parameter.Description)
		}
	}
	return description, err
}

func taskToWire(task Task) (*pluginv1.RunRequest, error) {
	arguments, err := recode[*structpb.Struct](task.Arguments)
	unanswered, unansweredErr := recode[[]*pluginv1.Sent](task.Unanswered)
	return &pluginv1.RunRequest{
		Run: task.Run, Attempt: int32(task.Attempt), Target: task.Target,
		Activity: task.Activity, Arguments: arguments, Timeout: durationpb.New(task.Timeout),
		Resources: task.Resources, Unanswered: unanswered, Settle: durationpb.New(task.Settle), Recheck: task.Recheck,
	}, cmp.Or(err, unansweredErr)
}

func taskFromWire(request *pluginv1.RunRequest) Task {
	return Task{
		Run: request.GetRun(), Attempt: int(request.GetAttempt()), Target: request.GetTarget(),
		Activity: request.GetActivity(), Arguments: request.GetArguments().AsMap(), Timeout: request.GetTimeout().AsDuration(),
		Resources: request.GetResources(), Settle: request.GetSettle().AsDuration(), Recheck: request.GetRecheck(),
		Unanswered: each(request.GetUnanswered(), func(sent *pluginv1.Sent) Sent {
			return Sent{Activity: sent.GetActivity(), Arguments: sent.GetArguments().AsMap()}
		}),
	}
}

func planToWire(p *plan.Plan) (*pluginv1.Plan, error) {
	given, givenErr := stepToWire(p.Given)
	teardown, teardownErr := stepToWire(p.Teardown)
	steps, stepsErr := eachOr(p.Steps, stepToWire)
	return &pluginv1.Plan{
		Experiment: p.Experiment, Title: p.Title, Description: p.Description, Target: p.Target,
		Attempts: int32(p.Attempts), Parameters: p.Parameters, Given: given, Teardown: teardown, Steps: steps,
		Evidence: each(p.Evidence, plan.Claim.String), Touches: p.BlastRadius, Control: p.Control, Expected: p.Expected,
	}, cmp.Or(givenErr, teardownErr, stepsErr)
}

func stepToWire(s plan.Step) (*pluginv1.Step, error) {
	wire := &pluginv1.Step{
		Name: s.Name, After: each(s.After, plan.Ref.String), Delay: durationpb.New(time.Duration(s.Delay)),
		While: s.While, Until: each(s.Until, plan.Ref.String), Timeout: durationpb.New(time.Duration(s.Timeout)),
		Expect: s.Expect, Otherwise: s.Otherwise, AfterAny: each(s.AfterAny, plan.Ref.String), For: durationpb.New(time.Duration(s.For)),
	}
	if f := s.Fault; f != nil {
		wire.What = &pluginv1.Step_Fault{Fault: &pluginv1.Fault{Kind: f.Kind, Action: f.Action, Summary: f.Summary, Object: f.Object}}
	}
	if a := s.Activity; a != nil {
		arguments, err := recode[*structpb.Struct](a.Arguments)
		if err != nil {
			return nil, fmt.Errorf("the arguments of step %s: %w", s.Name, err)
		}
		wire.What = &pluginv1.Step_Activity{Activity: &pluginv1.Task{
			Activity: a.Name, Arguments: arguments, Summary: a.Summary, Service: a.Service,
			Events: a.Events, Ends: a.Ends, Lasting: a.Lasting, Recheck: a.Recheck, Measures: a.Measures,
		}}
	}
	return wire, nil
}

// planFromWire fails on events and claims that cannot be read.
func planFromWire(wire *pluginv1.Plan) (*plan.Plan, error) {
	given, givenErr := stepFromWire(wire.GetGiven())
	teardown, teardownErr := stepFromWire(wire.GetTeardown())
	steps, stepsErr := eachOr(wire.GetSteps(), stepFromWire)
	evidence, evidenceErr := eachOr(wire.GetEvidence(), plan.ParseClaim)
	return &plan.Plan{
		Experiment: wire.GetExperiment(), Title: wire.GetTitle(), Description: wire.GetDescription(),
		Target: wire.GetTarget(), Attempts: int(wire.GetAttempts()), Parameters: wire.GetParameters(),
		Given: given, Teardown: teardown, Steps: steps, Evidence: evidence,
		Control: wire.GetControl(), Expected: wire.GetExpected(),
		BlastRadius: each(wire.GetTouches(), func(text string) string { return document.Lines(cutText(text)) }),
	}, cmp.Or(givenErr, teardownErr, stepsErr, evidenceErr)
}

func stepFromWire(wire *pluginv1.Step) (plan.Step, error) {
	s := plan.Step{
		Name: wire.GetName(), Delay: plan.Duration(wire.GetDelay().AsDuration()), While: wire.GetWhile(),
		Timeout: plan.Duration(wire.GetTimeout().AsDuration()), Expect: wire.GetExpect(), Otherwise: wire.GetOtherwise(),
		For: plan.Duration(wire.GetFor().AsDuration()),
	}
	var err error
	if s.After, err = eachOr(wire.GetAfter(), plan.ParseRef); err != nil {
		return s, fmt.Errorf("step %s: after: %w", s.Name, err)
	}
	if s.AfterAny, err = eachOr(wire.GetAfterAny(), plan.ParseRef); err != nil {
		return s, fmt.Errorf("step %s: afterAny: %w", s.Name, err)
	}
	if s.Until, err = eachOr(wire.GetUntil(), plan.ParseRef); err != nil {
		return s, fmt.Errorf("step %s: until: %w", s.Name, err)
	}
	if f := wire.GetFault(); f != nil {
		s.Fault = &plan.Fault{Kind: f.GetKind(), Action: f.GetAction(), Summary: f.GetSummary(), Object: f.GetObject()}
	}
	if a := wire.GetActivity(); a != nil {
		s.Activity = &plan.Activity{
			Name: a.GetActivity(), Arguments: a.GetArguments().AsMap(), Summary: a.GetSummary(), Service: a.GetService(),
			Events: a.GetEvents(), Ends: a.GetEnds(), Lasting: a.GetLasting(), Recheck: a.GetRecheck(), Measures: a.GetMeasures(),
		}
	}
	return s, nil
}
