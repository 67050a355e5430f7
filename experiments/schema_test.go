package experiments_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"gopkg.in/yaml.v3"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
)

const schemaFile = "schema.json"

// TestSchemaIsUpToDate: schema.json is what editors use.
func TestSchemaIsUpToDate(t *testing.T) {
	golden(t, schemaFile, scenario.Schema(experiments.Catalogue()))
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(scenario.Schema(experiments.Catalogue())))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(schemaFile, document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// TestExperimentsMatchTheSchema: an editor finds nothing to complain about.
func TestExperimentsMatchTheSchema(t *testing.T) {
	compiled := schema(t)
	for _, name := range experiments.Names() {
		source, err := experiments.Read(name)
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := yaml.Unmarshal(source.Data, &document); err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(document); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses: what the schema refuses is refused by the compiler too,
// and it refuses the mistakes that an editor should show.
func TestSchemaRefuses(t *testing.T) {
	compiled := schema(t)
	folder := filepath.Join("testdata", "broken")
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var document any
		if err := yaml.Unmarshal(data, &document); err != nil {
			continue
		}
		if err := compiled.Validate(document); err == nil {
			continue
		}
		if _, problems := experiments.Compile(experiments.Source{File: file, Data: data}, sampleTarget(t), nil); len(problems) == 0 {
			t.Errorf("%s: the schema refuses what the compiler takes", file)
		}
	}

	source, err := experiments.Read("service-refused")
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"an unknown call":         {"call: ${call}\n      expect", "call: dig.instanciate\n      expect"},
		"an unknown outcome":      {"expect: refused", "expect: refuse"},
		"an unknown probe":        {"available: ${service}", "avaliable: ${service}"},
		"an unknown key":          {"timeout: ${back}", "timeuot: ${back}"},
		"a duration without unit": {"duration: 2m", "duration: 120"},
		"no evidence":             {"  evidence:", "  evidences:"},
		"two actions":             {"call: ${call}\n      expect", "call: ${call}\n      probe: {reached: dig.terminate}\n      expect"},
		"no action":               {"probe:\n        available: ${service}", "while: call"},
		"a claim without event":   {"outage.created < refused", "outage < refused"},
		"an unknown fault":        {"action: pod-failure", "action: pod-fail"},
		"a wrong kind":            {"kind: Experiment", "kind: Workflow"},
	} {
		text := strings.Replace(string(source.Data), change[0], change[1], 1)
		if text == string(source.Data) {
			t.Errorf("%s: nothing was changed", what)
			continue
		}
		var document any
		if err := yaml.Unmarshal([]byte(text), &document); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if err := compiled.Validate(document); err == nil {
			t.Errorf("the schema takes %s", what)
		}
	}
}
