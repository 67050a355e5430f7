package scenario_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var update = flag.Bool("update", false, "write the golden files")

// market is the catalogue of a system that is not EMCO.
func market() scenario.Catalogue {
	ends := []string{"passed", "failed"}
	events := []string{"started", "passed", "failed"}
	return scenario.Catalogue{
		Call: "call", Given: "prepare", Teardown: "tidy",
		Calls: []scenario.Call{
			{Name: "order.place", Service: "shop", Summary: "PUT order"},
			{Name: "order.cancel", Service: "shop", Summary: "DELETE order"},
			{Name: "stock.count", Service: "stock"},
			{Name: "parcel.send", Service: "courier"},
			{Name: "parcel.find", Service: "nowhere"},
		},
		Check: func(name string, arguments map[string]any) error {
			if name == "settled" && arguments["state"] == "undone" && arguments["strict"] == true {
				return document.Problem{Field: "strict", Message: "nothing undone can be strict", Remedy: "write strict: false"}
			}
			return nil
		},
		Activities: []activity.Activity{
			{
				Name: "call", HasOutcome: true, Lasting: true,
				Arguments: []activity.Argument{{Name: "call", Type: activity.CallName, Required: true}},
				Events:    []string{"started", "sent", "accepted", "rejected", "failed"},
				Ends:      []string{"accepted", "rejected", "failed"},
			},
			{
				Name: "available", Probe: true, Events: events, Ends: ends,
				Arguments: []activity.Argument{
					{Name: "service", Type: activity.ServiceName, Allowed: []string{"shop", "stock", "ghost"}},
					{Name: "call", Type: activity.CallName},
				},
			},
			{
				Name: "settled", Probe: true, Events: events, Ends: ends,
				Arguments: []activity.Argument{
					{Name: "call", Type: activity.CallName, Required: true},
					{Name: "state", Type: activity.Text, Allowed: []string{"done", "undone"}},
					{Name: "within", Type: activity.Duration},
					{Name: "strict", Type: activity.Boolean},
				},
			},
			{Name: "counted", Probe: true, Events: events, Ends: ends},
			{
				Name: "prepare", Events: events, Ends: ends,
				Arguments: []activity.Argument{
					{Name: "goods", Type: activity.Text, Required: true},
					{Name: "count", Type: activity.Integer},
					{Name: "extra", Type: activity.Mapping},
				},
			},
			{Name: "tidy", Events: events, Ends: ends},
		},
	}
}

func shop(t testing.TB) *target.Target {
	t.Helper()
	read, problems := target.Read(filepath.Join("testdata", "target.yaml"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return read
}

var setting = regexp.MustCompile(`(?m)^# set: ([a-z]+)=(.*)$`)

// compile compiles a file; comments "# set: NAME=VALUE" set its parameters.
func compile(t testing.TB, file string) (*plan.Plan, document.Problems) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, match := range setting.FindAllStringSubmatch(string(data), -1) {
		set[match[1]] = match[2]
	}
	return scenario.Compile(filepath.Base(file), data, market(), shop(t), set)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs (write it with -update):\n%s", file, got)
	}
}

func TestSound(t *testing.T) {
	result, problems := compile(t, filepath.Join("testdata", "sound.yaml"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if problems := fault.CheckPlan(result); len(problems) > 0 {
		t.Errorf("its faults: %v", problems)
	}
	data, err := json.MarshalIndent(result, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "sound.plan.json"), string(data)+"\n")
}

func TestBroken(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "broken", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken experiments: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			result, problems := compile(t, file)
			if result != nil || len(problems) == 0 {
				t.Fatal("it was compiled")
			}
			for _, problem := range problems {
				if problem.Line < 1 || problem.Column < 1 || problem.Remedy == "" {
					t.Errorf("a problem without a place or a remedy: %+v", problem)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", problems.Error()+"\n")
		})
	}
}

// TestSchemaTellsTheDefaults: what the schema says of values that are left out
// is what the compiler takes.
func TestSchemaTellsTheDefaults(t *testing.T) {
	type property struct {
		Default    any
		Properties map[string]property
	}
	var schema struct{ Properties map[string]property }
	if err := json.Unmarshal(scenario.Schema(market()), &schema); err != nil {
		t.Fatal(err)
	}
	told := schema.Properties["spec"].Properties
	timeouts := told["timeouts"].Properties
	data := []byte(`apiVersion: emco-chaos/v1
kind: Experiment
metadata: {name: sample}
spec:
  title: A sample
  given: {goods: apples}
  steps:
    call: {after: [fault.down], call: order.place}
    probe: {probe: counted}
    fault: {fault: {podChaos: {action: pod-kill, service: shop}}}
  evidence: [fault.down < call.accepted]
`)
	compiled, problems := scenario.Compile("sample.yaml", data, market(), shop(t), nil)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if told["attempts"].Default != float64(compiled.Attempts) {
		t.Errorf("attempts: told %v, taken %d", told["attempts"].Default, compiled.Attempts)
	}
	for _, name := range []string{"given", "call", "probe", "fault", "teardown"} {
		step, _ := compiled.Find(name)
		text, _ := timeouts[name].Default.(string)
		if want, err := time.ParseDuration(text); err != nil || plan.Duration(want) != step.Timeout {
			t.Errorf("%s: told %q, taken %s", name, text, step.Timeout)
		}
	}
}

// TestSchemaKnowsTheLimits: the patterns in the schema are those of a plan.
func TestSchemaKnowsTheLimits(t *testing.T) {
	var schema struct {
		Properties struct {
			Spec struct {
				Properties struct {
					Attempts struct{ AnyOf []struct{ Maximum int } }
					Steps    struct{ PropertyNames struct{ Pattern string } }
				}
			}
		}
		Definitions struct {
			Outcome struct{ AnyOf []struct{ Enum []string } }
			Step    struct {
				Properties struct {
					Otherwise struct{ PropertyNames struct{ Pattern string } }
				}
			}
		}
	}
	if err := json.Unmarshal(scenario.Schema(market()), &schema); err != nil {
		t.Fatal(err)
	}
	spec := schema.Properties.Spec.Properties
	if got := spec.Attempts.AnyOf[0].Maximum; got != plan.MaxAttempts {
		t.Errorf("attempts: %d", got)
	}
	names := regexp.MustCompile(spec.Steps.PropertyNames.Pattern)
	for name, want := range map[string]bool{strings.Repeat("a", plan.MaxStepName): true, strings.Repeat("a", plan.MaxStepName+1): false, "a-b": true, "a-": false} {
		if names.MatchString(name) != want {
			t.Errorf("the name %s of a step: taken %v", name, !want)
		}
	}
	if got := schema.Definitions.Outcome.AnyOf[0].Enum; !slices.Equal(got, append(plan.Outcomes(), plan.Any)) {
		t.Errorf("outcomes: %q", got)
	}
	outcomes := regexp.MustCompile(schema.Definitions.Step.Properties.Otherwise.PropertyNames.Pattern)
	for _, outcome := range append(plan.Outcomes(), "rejected 404", "rejected 600", "rejected 042", "lost", "") {
		if outcomes.MatchString(outcome) != plan.IsOutcome(outcome) {
			t.Errorf("the outcome %q: in a plan %v", outcome, plan.IsOutcome(outcome))
		}
	}
}

func TestDescribe(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "sound.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	description, problems := scenario.Describe("sound.yaml", data)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(description, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "sound.description.json"), string(text)+"\n")
}

func FuzzCompile(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "broken", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range append(files, filepath.Join("testdata", "sound.yaml")) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	catalogue, where := market(), shop(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		result, problems := scenario.Compile("experiment.yaml", data, catalogue, where, map[string]string{"goods": "pears"})
		if (result == nil) == (len(problems) == 0) {
			t.Errorf("a plan or problems, got %v and %v", result, problems)
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Column < 1 || problem.Message == "" || problem.Remedy == "" {
				t.Errorf("a problem without a place, words or a remedy: %+v", problem)
			}
		}
		if result != nil {
			if problems := fault.CheckPlan(result); len(problems) > 0 {
				t.Errorf("its faults: %v", problems)
			}
			if _, err := json.Marshal(result); err != nil {
				t.Errorf("it cannot be sent: %v", err)
			}
		}
	})
}
