package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// What a Run asks for is compiled by the real plugin, and each kind of mistake
// says what is wrong.
func TestRunnerCompiles(t *testing.T) {
	t.Parallel()
	target, problems := target.Read(emulated(t))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	r := &runner{s: newSession(t), target: target}
	compiled, err := r.Compile(t.Context(), sdk.Source{Experiment: "service-refused", Parameters: map[string]string{"call": "logical-cloud.terminate"}})
	if err != nil {
		t.Fatal(err)
	}
	if compiled.Experiment != "service-refused" || compiled.Parameters["call"] != "logical-cloud.terminate" {
		t.Errorf("compiled %s with %v", compiled.Experiment, compiled.Parameters)
	}
	for _, test := range []struct {
		source sdk.Source
		says   string
	}{
		{sdk.Source{Experiment: "dig"}, "dig-instantiate-in-flight"},
		{sdk.Source{Experiment: "service-refused", Parameters: map[string]string{"call": "nonsense"}}, "nonsense"},
		{sdk.Source{File: "spec.text", Text: []byte("kind: Experiment\nspec: {}\n")}, "spec.text:1:1"},
	} {
		_, err = r.Compile(t.Context(), test.source)
		if !errors.As(err, new(document.Problems)) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test.source, err)
		}
	}
	r.s.plugin.Name = "nobody"
	if _, err = r.Compile(t.Context(), sdk.Source{Experiment: "service-refused"}); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("no plugin: %v", err)
	}
}
