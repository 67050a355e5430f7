package main

import (
	"errors"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/controller"
	"github.com/emco-chaos/emco-chaos/plugin/controller/api"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// What the controller is asked for is compiled by the real plugin, and each
// kind of mistake comes as the controller's interface says.
func TestRunnerCompiles(t *testing.T) {
	t.Parallel()
	target, problems := target.Read(emulated(t))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	r := &runner{s: newSession(t), target: target}
	compiled, err := r.Compile(t.Context(), api.Request{Experiment: "service-refused", Parameters: map[string]string{"call": "logical-cloud.terminate"}})
	if err != nil {
		t.Fatal(err)
	}
	if compiled.Experiment != "service-refused" || compiled.Parameters["call"] != "logical-cloud.terminate" {
		t.Errorf("compiled %s with %v", compiled.Experiment, compiled.Parameters)
	}

	_, err = r.Compile(t.Context(), api.Request{Experiment: "dig"})
	if unknown, ok := errors.AsType[*controller.UnknownError](err); !ok || len(unknown.Known) != 10 {
		t.Errorf("an unknown experiment: %v", err)
	}
	_, err = r.Compile(t.Context(), api.Request{Experiment: "service-refused", Parameters: map[string]string{"call": "nonsense"}})
	if !errors.As(err, new(document.Problems)) {
		t.Errorf("a wrong parameter: %v", err)
	}
	r.s.plugin.Name = "nobody"
	if _, err = r.Compile(t.Context(), api.Request{Experiment: "service-refused"}); !errors.Is(err, host.ErrNotFound) {
		t.Errorf("no plugin: %v", err)
	}
}
