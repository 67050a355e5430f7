package sdk

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/pluginv1"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"google.golang.org/protobuf/types/known/durationpb"
)

func TestMomentsKeepTheirOrder(t *testing.T) {
	start := time.Now()
	var r receiver
	moment := func(received, age time.Duration) time.Duration {
		r.now = start.Add(received)
		return r.moment(durationpb.New(age)).Sub(start)
	}
	for _, step := range []struct{ received, age, want time.Duration }{
		{10, 0, 10},
		// It happened 3 ns after the first, but its message was faster.
		{12, 4, 11},
		{50, 10, 40},
		// An age below zero is a moment that is told before it happens.
		{60, -5, 60},
	} {
		if got := moment(step.received, step.age); got != step.want {
			t.Errorf("received at %d, %d old: %d, want %d", step.received, step.age, got, step.want)
		}
	}
}

func TestDescriptionsAreCleaned(t *testing.T) {
	d, err := descriptionFromWire(&pluginv1.DescribeResponse{
		Name: "a\x1b[2Jb", Version: "1\r2",
		Experiments: []*pluginv1.Experiment{{
			Title: "t\a", Description: "one\ntwo\x00", Parameters: []*pluginv1.Parameter{{Default: "d\x7f"}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	e := d.Experiments[0]
	if got := []string{d.Name, d.Version, e.Title, e.Description, e.Parameters[0].Default}; !slices.Equal(got, []string{"a [2Jb", "1 2", "t ", "one\ntwo ", "d "}) {
		t.Errorf("%q", got)
	}
}

// TestRecode: each type that travels by its JSON comes out as it went in, but
// for what the contract's message has no field for.
func TestRecode(t *testing.T) {
	description := Description{
		Name: "n", Version: "v", Schema: []byte("{\xff}"),
		Experiments: []Experiment{{Name: "e", Title: "t", Description: "d", Parameters: []Parameter{
			{Name: "p", Type: activity.Duration, Default: "1s", Allowed: []string{"1s", "2s"}, Description: "d"},
		}}},
		Activities: []Activity{{Name: "a", Summary: "s", Events: []string{"started", "passed"}, Ends: []string{"passed"}, Arguments: []Argument{
			{Name: "g", Type: activity.CallName, Required: true, Allowed: []string{"x"}, Description: "d"},
		}}},
	}
	recoded(t, description, descriptionFromWire)
	recoded(t, document.Problems{{File: "f", Line: 3, Column: 4, Field: "a.b", Message: "m", Remedy: "r"}},
		func(wire []*pluginv1.Problem) (document.Problems, error) { return recode[document.Problems](wire) })
	description.Activities[0].Probe, description.Experiments[0].Parameters[0].Follows = true, "call"
	if wire, err := recode[*pluginv1.DescribeResponse](description); err != nil || len(wire.GetActivities()) != 1 {
		t.Errorf("%v, %v", wire, err)
	}
}

func recoded[Message, Own any](t *testing.T, own Own, back func(Message) (Own, error)) {
	t.Helper()
	wire, err := recode[Message](own)
	if err != nil {
		t.Fatal(err)
	}
	got, err := back(wire)
	if err != nil || !reflect.DeepEqual(got, own) {
		t.Errorf("%+v, %v, want %+v", got, err, own)
	}
}

func TestTaskOnTheWire(t *testing.T) {
	task := Task{
		Run: "r", Attempt: 2, Target: []byte("{}"), Activity: "a", Arguments: map[string]any{"given": map[string]any{"dig": "Approved"}, "n": 1.5, "list": []any{"x", nil, true}},
		Timeout: 90 * time.Second, Resources: []string{"projects/p"}, Settle: 18 * time.Second, Recheck: true,
		Unanswered: []Sent{{Activity: "call", Arguments: map[string]any{"call": "dig.instantiate"}}},
	}
	wire, err := taskToWire(task)
	if err != nil {
		t.Fatal(err)
	}
	if got := taskFromWire(wire); !reflect.DeepEqual(got, task) {
		t.Errorf("%+v", got)
	}
	task.Arguments["given"] = func() {}
	if _, err := taskToWire(task); err == nil {
		t.Error("a function was sent")
	}
}

func TestPlanOnTheWire(t *testing.T) {
	sent := plan.Ref{Step: "call", Event: plan.Sent}
	doing := func(step, activity string) plan.Step {
		return plan.Step{Name: step, Timeout: plan.Duration(time.Minute), Activity: &plan.Activity{
			Name: activity, Summary: activity, Service: "counter", Arguments: map[string]any{"n": 1.5},
			Events: []string{plan.Started, plan.Sent}, Ends: []string{plan.Sent}, Lasting: true, Recheck: true, Measures: "answers",
		}}
	}
	compiled := &plan.Plan{
		Experiment: "e", Title: "t", Description: "d", Target: "x", Attempts: 3, Parameters: map[string]string{"a": "b"},
		Given: doing(plan.GivenStep, "fill"), Teardown: doing(plan.TeardownStep, "drop"),
		Steps: []plan.Step{doing("call", "call"), {
			Name: "kill", After: []plan.Ref{sent}, Delay: plan.Duration(time.Second), While: "call", Until: []plan.Ref{sent},
			AfterAny: []plan.Ref{sent}, For: plan.Duration(time.Minute),
			Expect: plan.Refused, Otherwise: map[string]string{plan.Accepted: plan.OtherwiseFailed},
			Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "kill", Object: []byte("{}")},
		}},
		Evidence: []plan.Claim{{Refs: []plan.Ref{sent, {Step: "kill", Event: plan.Created}}}}, BlastRadius: []string{"one\ttwo"}, Control: true, Expected: []string{"rsync"},
	}
	wire, err := planToWire(compiled)
	if err != nil {
		t.Fatal(err)
	}
	compiled.BlastRadius = []string{"one two"}
	if got, err := planFromWire(wire); err != nil || !reflect.DeepEqual(got, compiled) {
		t.Errorf("%+v, %v", got, err)
	}
	compiled.Steps[0].Activity.Arguments["n"] = func() {}
	if _, err := planToWire(compiled); err == nil {
		t.Error("a function was sent")
	}
}
