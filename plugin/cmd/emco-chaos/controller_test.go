package main

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/emco-chaos/emco-chaos/plugin/controller/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
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

// TestCrashPoints: whatever a Run says of its map is asked of the map.
func TestCrashPoints(t *testing.T) {
	spec := v1alpha1.MapSpec{
		Calls: []string{"dig.terminate"}, From: "Instantiated", Points: "etcd", Longest: 2, Share: true, Moments: 3, Seed: 4,
		Budget: &metav1.Duration{Duration: time.Minute},
	}
	for field, value := range reflect.ValueOf(spec).Fields() {
		if value.IsZero() {
			t.Errorf("%s is not tested", field.Name)
		}
	}
	want := crashmap.Spec{
		Calls: []string{"dig.terminate"}, From: "Instantiated", Points: "etcd", Longest: 2, Share: true, Moments: 3, Seed: 4, Budget: time.Minute,
	}
	if got := crashPoints(spec); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}
