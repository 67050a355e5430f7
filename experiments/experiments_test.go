package experiments_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var update = flag.Bool("update", false, "write the golden files")

func sampleTarget(t *testing.T) *target.Target {
	t.Helper()
	target, problems := target.Read(filepath.Join("testdata", "target.yaml"))
	if err := problems.Err(); err != nil {
		t.Fatalf("the sample target: %v", err)
	}
	return target
}

func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v (write it with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (write it with -update):\n%s", file, got)
	}
}

func compiled(t *testing.T, name string, parameters map[string]string) *plan.Plan {
	t.Helper()
	source, err := experiments.Read(name)
	if err != nil {
		t.Fatal(err)
	}
	result, problems := experiments.Compile(source, sampleTarget(t), parameters)
	if err := problems.Err(); err != nil {
		t.Fatalf("compile %s: %v", name, err)
	}
	return result
}

func TestPlans(t *testing.T) {
	for _, name := range experiments.Names() {
		t.Run(name, func(t *testing.T) {
			result := compiled(t, name, nil)
			if problems := fault.CheckPlan(result); len(problems) > 0 {
				t.Errorf("its faults: %v", problems)
			}
			data, err := json.MarshalIndent(result, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("testdata", "golden", name+".plan.json"), append(data, '\n'))

			var objects strings.Builder
			for _, step := range result.Steps {
				if step.Fault == nil {
					continue
				}
				object, err := fault.Decode(step.Fault.Object)
				if err != nil {
					t.Fatal(err)
				}
				fault.Stamp(object, "sample", 1, result.Experiment, step.Name)
				text, err := fault.YAML(object)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&objects, "---\n%s", text)
			}
			golden(t, filepath.Join("testdata", "golden", name+".objects.yaml"), []byte(objects.String()))
		})
	}
}

func TestBroken(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "broken", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no broken experiments: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			result, problems := experiments.Compile(experiments.Source{File: filepath.Base(file), Data: data}, sampleTarget(t), nil)
			if result != nil || len(problems) == 0 {
				t.Fatal("it was compiled")
			}
			for _, problem := range problems {
				if problem.Line < 1 || problem.Remedy == "" {
					t.Errorf("a problem without a place or a remedy: %+v", problem)
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", []byte(problems.Error()+"\n"))
		})
	}
}

func TestParameters(t *testing.T) {
	services := map[string]string{
		"dig.approve": "orchestrator", "dig.instantiate": "orchestrator", "dig.terminate": "orchestrator",
		"logical-cloud.instantiate": "dcm", "logical-cloud.terminate": "dcm",
		"cluster-provider.create": "clm", "cluster.create": "clm", "cluster-label.create": "clm",
	}
	for call, service := range services {
		result := compiled(t, "service-refused", map[string]string{"call": call, "refused": "3s", "back": "4s", "converge": "5s"})
		if result.Parameters["service"] != service {
			t.Errorf("%s: the service is %s, want %s", call, result.Parameters["service"], service)
		}
		for _, name := range []string{"refused", "call", "back", "reissue", "final"} {
			if step, _ := result.Find(name); step.Activity == nil || step.Activity.Service != service {
				t.Errorf("%s: step %s is not answered by %s: %+v", call, name, service, step.Activity)
			}
		}
		for _, name := range []string{"outage", "renew"} {
			step, _ := result.Find(name)
			if want := fmt.Sprintf(`"labelSelectors":{"app":%q}`, service); !strings.Contains(string(step.Fault.Object), want) {
				t.Errorf("%s: step %s hits %s", call, name, step.Fault.Object)
			}
		}
		for name, want := range map[string]string{"refused": "3s", "back": "4s", "final": "5s"} {
			if step, _ := result.Find(name); step.Timeout.String() != want {
				t.Errorf("%s: step %s may take %s, want %s", call, name, step.Timeout, want)
			}
		}
	}
}

func TestAPairThatDoesNotMatchIsRefused(t *testing.T) {
	source, err := experiments.Read("service-refused")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := experiments.Compile(source, sampleTarget(t), map[string]string{"service": "dcm"})
	want := "spec.parameters.service: dcm does not answer dig.terminate; orchestrator does: leave service out, or choose another call"
	if len(problems) != 1 || !strings.HasSuffix(problems[0].Error(), want) {
		t.Errorf("got %v, want %s", problems, want)
	}
}

// A driver can lie, so every outage must be seen from outside as well: by a
// probe that passes when a connection is refused or a status gives no state, or,
// of an edge that is away, is under way still; and by a claim that it passed
// before what comes next.
func TestEachOutageHasAWitness(t *testing.T) {
	for _, name := range experiments.Names() {
		result := compiled(t, name, nil)
		witnesses := []string{"unavailable", "noState"}
		if !slices.ContainsFunc(result.Steps, func(step plan.Step) bool { return step.Fault != nil && step.Fault.Stops() }) {
			witnesses = []string{"notFinal"}
		}
		witnessed := false
		for _, claim := range result.Evidence {
			for _, ref := range claim.Refs[:len(claim.Refs)-1] {
				step, _ := result.Find(ref.Step)
				if step.Activity != nil && slices.Contains(witnesses, step.Activity.Name) && ref.Event == "passed" {
					witnessed = true
				}
			}
		}
		if !witnessed {
			t.Errorf("%s: nobody outside sees the outage", name)
		}
	}
}

func TestReadTellsOfAnUnknownExperiment(t *testing.T) {
	_, err := experiments.Read("dig-instantiate")
	if !errors.Is(err, experiments.ErrUnknown) {
		t.Errorf("got %v", err)
	}
	if _, err := experiments.Read("../go"); !errors.Is(err, experiments.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestListDescribesEveryExperiment(t *testing.T) {
	list, err := experiments.List()
	if err != nil {
		t.Fatal(err)
	}
	names := experiments.Names()
	if len(list) != len(names) || len(names) < 3 {
		t.Fatalf("%d descriptions of %d experiments", len(list), len(names))
	}
	for i, one := range list {
		if one.Name != names[i] || one.Title == "" || one.Description == "" {
			t.Errorf("%s.yaml describes itself as %+v", names[i], one)
		}
		for _, parameter := range one.Parameters {
			if parameter.Description == "" {
				t.Errorf("%s: nothing says what the parameter %s is", one.Name, parameter.Name)
			}
		}
	}
}

// Every experiment must compile for an EMCO as its chart installs it.
func TestExperimentsFitTheChart(t *testing.T) {
	target, err := experiments.ChartTarget()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range experiments.Names() {
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems := experiments.Compile(source, target, nil); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// The plan, its faults and the reader of experiments serve other systems too.
func TestOnlyThisPackageKnowsEMCO(t *testing.T) {
	output, err := exec.Command("go", "list", "-deps", "./plan", "./fault", "./scenario").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	const ours = "github.com/emco-chaos/emco-chaos/"
	// These know nothing of EMCO.
	neutral := []string{ours + "probes/document", ours + "probes/target", ours + "probes/activity"}
	for dependency := range strings.FieldsSeq(string(output)) {
		if slices.Contains(neutral, dependency) {
			continue
		}
		if strings.HasPrefix(dependency, ours+"probes") || strings.HasPrefix(dependency, ours+"plugin") {
			t.Errorf("%s is imported", dependency)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, name := range experiments.Names() {
		source, err := experiments.Read(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(source.Data)
	}
	target, err := experiments.ChartTarget()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		result, problems := experiments.Compile(experiments.Source{File: "experiment.yaml", Data: data}, target, nil)
		if (result == nil) == (len(problems) == 0) {
			t.Errorf("a plan or problems, got %v and %v", result, problems)
		}
		for _, problem := range problems {
			if problem.Line < 1 || problem.Column < 1 || problem.Remedy == "" {
				t.Errorf("a problem without a place or a remedy: %+v", problem)
			}
		}
	})
}
