package fault_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const (
	kill = `{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"PodChaos","metadata":{"namespace":"shop"},"spec":{"action":"pod-kill",` +
		`"duration":"60s","mode":"all","selector":{"labelSelectors":{"app":"shop"},"namespaces":["shop"]}}}`
	hold = `{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"NetworkChaos","metadata":{"namespace":"shop"},"spec":{"action":"partition",` +
		`"direction":"both","duration":"60s","externalTargets":["courier"],"mode":"all","selector":{"labelSelectors":{"app":"shop"},"namespaces":["shop"]}}}`
	skew = `{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"TimeChaos","metadata":{"namespace":"shop"},"spec":{"timeOffset":"-10m",` +
		`"duration":"60s","mode":"all","selector":{"labelSelectors":{"app":"shop"},"namespaces":["shop"]}}}`
	slow = `{"apiVersion":"chaos-mesh.org/v1alpha1","kind":"NetworkChaos","metadata":{"namespace":"shop"},"spec":{"action":"delay",` +
		`"delay":{"latency":"100ms"},"duration":"60s","mode":"all","selector":{"labelSelectors":{"app":"shop"},"namespaces":["shop"]}}}`
)

func decode(t *testing.T, text string) fault.Object {
	t.Helper()
	object, err := fault.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestDecodeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":            `{`,
		"nothing":            `null`,
		"a list":             `[]`,
		"another group":      strings.Replace(kill, "chaos-mesh.org/v1alpha1", "apps/v1", 1),
		"another kind":       strings.Replace(kill, "PodChaos", "JVMChaos", 1),
		"an unknown field":   strings.Replace(kill, `"mode"`, `"mood"`, 1),
		"a field's type":     strings.Replace(kill, `"60s"`, `60`, 1),
		"a field in a wrong": strings.Replace(kill, `"selector":{`, `"selector":{"labels":{},`, 1),
	} {
		if object, err := fault.Decode([]byte(text)); err == nil {
			t.Errorf("%s was read: %+v", name, object)
		}
	}
	if _, err := fault.Decode([]byte(strings.Replace(kill, "PodChaos", "JVMChaos", 1))); !errors.Is(err, fault.ErrKind) {
		t.Errorf("another kind: got %v", err)
	}
}

func TestCheckFillsInDefaults(t *testing.T) {
	object := decode(t, slow)
	if err := fault.Check(object); err != nil {
		t.Fatal(err)
	}
	spec := object.(*v1alpha1.NetworkChaos).Spec
	if spec.Direction != v1alpha1.To || spec.Delay.Jitter != "0ms" || spec.Delay.Correlation != "0" || spec.PartitionBehavior != v1alpha1.DropPartitionBehavior {
		t.Errorf("got %+v with the delay %+v", spec, spec.Delay)
	}
}

func TestCheckRefuses(t *testing.T) {
	tests := []struct{ base, old, new, want string }{
		{kill, `"pod-kill"`, `"pod-kil"`, "spec.action: \"pod-kil\" is not known; did you mean pod-kill?"},
		{kill, `"pod-kill"`, `"container-kill"`, "the name of container is required"},
		{kill, `"duration":"60s",`, ``, "spec.duration: is missing"},
		{kill, `"60s"`, `"60"`, "spec.duration: \"60\" is not a duration"},
		{kill, `"60s"`, `"-60s"`, "spec.duration: -60s is less than a second"},
		{kill, `"all"`, `"every"`, "spec.mode: \"every\" is not known"},
		{kill, `"all"`, `"fixed"`, "refused by Chaos Mesh"},
		{kill, `"labelSelectors":{"app":"shop"}`, `"labelSelectors":{}`, "spec.selector: selects every pod of its namespaces"},
		{strings.Replace(kill, `"metadata":{"namespace":"shop"},`, ``, 1), `,"namespaces":["shop"]`, ``, "spec.selector: names no namespace"},
		{kill, `"action"`, `"gracePeriod":-1,"action"`, "spec.gracePeriod: \"-1\" is not a number of seconds"},
		{hold, `"partition"`, `"party"`, "spec.action: \"party\" is not known"},
		{hold, `"both"`, `"up"`, "spec.direction: \"up\" is not known"},
		{hold, `"action"`, `"partitionBehavior":"ignore","action"`, "spec.partitionBehavior: \"ignore\" is not known"},
		{hold, `"externalTargets"`, `"target":{"mode":"all","selector":{"namespaces":["shop"]}},"externalTargets"`, "spec.target.selector: selects every pod"},
		{slow, `"delay":{"latency":"100ms"},`, ``, "spec.delay.latency: is missing"},
		{slow, `"100ms"`, `"1m30s"`, "spec.delay.latency: \"1m30s\" is not one number with one unit"},
		{slow, `"100ms"`, `"100ms","jitter":"much"`, "spec.delay.jitter: \"much\" is not one number with one unit"},
		{skew, `"timeOffset":"-10m"`, `"timeOffset":"later"`, "refused by Chaos Mesh: Spec.TimeOffset"},
		{skew, `"timeOffset":"-10m",`, ``, "spec.timeOffset: is missing"},
		{slow, `"duration"`, `"direction":"both","externalTargets":["courier"],"duration"`, "refused by Chaos Mesh"},
	}
	for _, test := range tests {
		text := strings.Replace(test.base, test.old, test.new, 1)
		if text == test.base {
			t.Fatalf("%s is not in the object", test.old)
		}
		err := fault.Check(decode(t, text))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s instead of %s: got %v, want %s", test.new, test.old, err, test.want)
		}
	}
}

// encoded is the object as JSON.
func encoded(t *testing.T, object fault.Object) []byte {
	t.Helper()
	text, err := fault.YAML(object)
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestYAMLLeavesOutWhatANewObjectDoesNotHave(t *testing.T) {
	data := encoded(t, decode(t, kill))
	if string(data) != kill {
		t.Errorf("got\n%s\nwant\n%s", data, kill)
	}
}

func TestStamp(t *testing.T) {
	object := decode(t, kill)
	object.SetLabels(map[string]string{"kept": "yes"})
	fault.Stamp(object, "run", 2, "experiment", "step")
	if object.GetName() != "run-2-step" {
		t.Errorf("name: %s", object.GetName())
	}
	labels := object.GetLabels()
	if labels["kept"] != "yes" || labels[fault.RunLabel] != "run" || labels[fault.ExperimentLabel] != "experiment" || labels[fault.StepLabel] != "step" {
		t.Errorf("labels: %v", labels)
	}
	longest := strings.Repeat("a", plan.MaxRunName)
	fault.Stamp(object, longest, plan.MaxAttempts, "experiment", strings.Repeat("b", plan.MaxStepName))
	if len(object.GetName()) != 63 {
		t.Errorf("the longest name has %d characters, and Chaos Mesh takes 63", len(object.GetName()))
	}
}

func TestCheckPlan(t *testing.T) {
	described := func(text string) *plan.Fault {
		object := decode(t, text)
		if err := fault.Check(object); err != nil {
			t.Fatal(err)
		}
		result, err := fault.Describe(object)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	lying := described(kill)
	lying.Action = "container-kill"
	p := &plan.Plan{Steps: []plan.Step{
		{Name: "fine", Fault: described(hold)},
		{Name: "probe"},
		{Name: "lying", Fault: lying},
		{Name: "empty", Fault: &plan.Fault{}},
		{Name: "wrong", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Object: json.RawMessage(strings.Replace(kill, `"60s"`, `"soon"`, 1))}},
	}}
	want := []string{
		"steps.lying.fault: the fault says PodChaos container-kill, and its object is PodChaos pod-kill",
		"steps.empty.fault: read a Chaos Mesh object",
		`steps.wrong.fault.spec.duration: "soon" is not a duration; write a duration such as 60s`,
	}
	problems := fault.CheckPlan(p)
	if len(problems) != len(want) {
		t.Fatalf("got\n%v", problems)
	}
	for i, problem := range problems {
		if !strings.HasPrefix(problem.Error(), want[i]) {
			t.Errorf("got %v, want %s", problem, want[i])
		}
	}
}

var update = flag.Bool("update", false, "write the golden files")

// TestKinds renders the short forms of every kind, and reads them again.
func TestKinds(t *testing.T) {
	schema := fault.Schema()
	schema["definitions"] = map[string]any{"parameter": true, "services": true}
	text, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := document.ReadSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range fault.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			var rendered bytes.Buffer
			for _, action := range kind.Actions {
				short := kind.Example(action, "shop", "stock")
				file := document.FromContent("", "fault", map[string]any{kind.Key: short}, nil)
				rules.Check(file, "fault")
				if err := file.Problems().Err(); err != nil {
					t.Fatalf("the schema refuses %v: %v", short, err)
				}
				result, err := kind.Read(short, shop)
				if err != nil {
					t.Fatalf("%v: %v", short, err)
				}
				if result.Kind != kind.Name || result.Action != action || result.Summary != action+" shop" || result.Stops() != kind.Stops {
					t.Errorf("%v became %+v", short, result)
				}
				if problems := fault.CheckPlan(&plan.Plan{Steps: []plan.Step{{Name: "fault", Fault: result}}}); len(problems) > 0 {
					t.Error(problems)
				}
				object := decode(t, string(result.Object))
				if got := fault.Selectors(object)[0]; fault.NameOf(object) != kind.Name || got.Field != "spec" || got.Mode != "all" || got.Selector.LabelSelectors["app"] != "shop" {
					t.Errorf("%s selects %+v", fault.NameOf(object), got)
				}
				yaml, err := fault.YAML(object)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&rendered, "---\n%s", yaml)
			}
			golden := filepath.Join("testdata", kind.Key+".yaml")
			if *update {
				if err := os.WriteFile(golden, rendered.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(golden); err != nil || !bytes.Equal(want, rendered.Bytes()) {
				t.Errorf("%s differs (write it with -update): %v\n%s", golden, err, &rendered)
			}
			list := kind.NewList()
			if _, is := list.(client.ObjectList); !is || len(fault.Objects(list)) > 0 {
				t.Errorf("a client cannot list %T", list)
			}
		})
	}
}

// TestShortFormsRefuse: what is wrong is told at the key of the short form.
func TestShortFormsRefuse(t *testing.T) {
	for _, test := range []struct {
		key   string
		short map[string]any
		want  string
	}{
		{"podChaos", map[string]any{"action": "pod-kill", "container": "server"}, "container: belongs to the action container-kill; leave it out, or write action: container-kill"},
		{"podChaos", map[string]any{"action": "pod-kill", "gracePeriod": "1500ms"}, "gracePeriod: is not whole seconds; write one, such as 5s"},
		{"podChaos", map[string]any{"action": "pod-kill", "duration": "10ms"}, "duration: 10ms is less than a second"},
		{"networkChaos", map[string]any{"action": "delay"}, "latency: is missing, and the action is delay; write one, such as 200ms"},
		{"networkChaos", map[string]any{"action": "delay", "latency": "0s"}, "latency: is zero; write one, such as 200ms"},
		{"timeChaos", map[string]any{"duration": "1ms", "offset": "10m"}, "duration: 1ms is less than a second"},
		{"dnsChaos", map[string]any{"action": "error", "duration": "1ms"}, "duration: 1ms is less than a second"},
		{"ioChaos", map[string]any{"action": "latency", "volume": "/data", "errno": int64(5), "delay": "1s"}, "errno: belongs to the action fault"},
		{"ioChaos", map[string]any{"action": "fault", "volume": "/data"}, "errno: is missing, and the action is fault; write one, such as 5"},
		{"httpChaos", map[string]any{"action": "delay", "target": "Request", "port": int64(80)}, "delay: is missing, and the action is delay; write one, such as 2s"},
		{"stressChaos", map[string]any{"action": "cpu", "size": "1GB"}, "size: belongs to the action memory; leave it out, or write action: memory"},
		{"stressChaos", map[string]any{"action": "memory", "workers": int64(2)}, "size: is missing, and the action is memory; write one, such as 256MB"},
	} {
		kind, known := fault.Short(test.key)
		if !known {
			t.Fatalf("%s is not known", test.key)
		}
		if _, err := kind.Read(test.short, shop); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %v: got %v, want %s", test.key, test.short, err, test.want)
		}
	}
}

// shop is a service that a fault is on.
var shop = fault.Ends{Service: "shop", Namespace: "shop", Summary: "shop", Spec: map[string]any{
	"mode": "all", "selector": map[string]any{"namespaces": []any{"shop"}, "labelSelectors": map[string]any{"app": "shop"}},
}}

func FuzzDecode(f *testing.F) {
	control := strings.Replace(hold, "courier", "\x7f\u0085\u2028", 1) // YAML has them as escapes alone
	for _, text := range []string{kill, hold, slow, control} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		object, err := fault.Decode(data)
		if err != nil || fault.Check(object) != nil {
			return
		}
		again, err := fault.Decode(encoded(t, object))
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if err := fault.Check(again); err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
	})
}

// TestRequest: the number of a request is an annotation, and 1 without it.
func TestRequest(t *testing.T) {
	kind, _ := fault.Short("networkChaos")
	for _, test := range []struct {
		short map[string]any
		want  int
	}{{map[string]any{"action": "partition"}, 1}, {map[string]any{"action": "partition", "request": int64(3)}, 3}} {
		made, err := kind.Read(test.short, shop)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fault.Request(decode(t, string(made.Object))); err != nil || got != test.want {
			t.Errorf("%v begins with request %d, %v", test.short, got, err)
		}
	}
	wrong := fault.New(kind.Name)
	for _, text := range []string{"0", "-1", "first", ""} {
		wrong.SetAnnotations(map[string]string{fault.RequestAnnotation: text})
		if _, err := fault.Request(wrong); err == nil || !strings.Contains(err.Error(), "write a number from 1 on") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
