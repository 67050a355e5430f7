package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// littered is a driver of a target with faults of dead runs, some of which
// hang until the others are gone.
type littered struct {
	engine.Driver
	mu      sync.Mutex
	objects []fault.Object
	stuck   map[string]error
	gone    []string
	looking error
}

func (d *littered) Leftovers(context.Context) ([]fault.Object, error) { return d.objects, d.looking }

func (d *littered) Remove(_ context.Context, object fault.Object) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.stuck[object.GetName()]; err != nil {
		return err
	}
	d.gone = append(d.gone, object.GetName())
	return nil
}

func leftover(name, run string) fault.Object {
	object := &v1alpha1.NetworkChaos{}
	object.Name, object.Labels = name, map[string]string{fault.RunLabel: run}
	return object
}

func TestSweepFaults(t *testing.T) {
	tests := []struct {
		name    string
		driver  *littered
		removed int
		told    []string
		wrong   []string
	}{
		{"nothing there", &littered{}, 0, nil, nil},
		{
			"two runs", &littered{objects: []fault.Object{leftover("rone-1-hold", "rone"), leftover("rtwo-1-kill", "rtwo")}}, 2,
			[]string{"removed the fault rone-1-hold of run rone", "removed the fault rtwo-1-kill of run rtwo"}, nil,
		},
		{
			"one that does not go keeps no other",
			&littered{
				objects: []fault.Object{leftover("rone-1-hold", "rone"), leftover("rone-1-kill", "rone")},
				stuck:   map[string]error{"rone-1-hold": errors.New("it hangs")},
			}, 1,
			[]string{"removed the fault rone-1-kill of run rone"}, []string{"remove the fault rone-1-hold: it hangs"},
		},
		{
			"one is on without an object",
			&littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}, looking: errors.New("delete pod shop-1")}, 1,
			[]string{"removed the fault rone-1-hold of run rone"}, []string{"look for faults of dead runs: delete pod shop-1"},
		},
		{"not to be seen", &littered{looking: errors.New("forbidden")}, 0, nil, []string{"look for faults of dead runs: forbidden"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			removed, err := sweepFaults(t.Context(), test.driver, linesTo(&out))
			if removed != test.removed || len(test.driver.gone) != test.removed {
				t.Errorf("removed %d, gone %v, want %d", removed, test.driver.gone, test.removed)
			}
			if told := slices.DeleteFunc(strings.Split(out.String(), "\n"), func(line string) bool { return line == "" }); !slices.Equal(told, test.told) {
				t.Errorf("told %q, want %q", told, test.told)
			}
			if (err != nil) != (len(test.wrong) > 0) {
				t.Fatalf("got %v", err)
			}
			for _, text := range test.wrong {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
		})
	}
}

// sweeping is a plugin that has resources of dead runs to remove.
type sweeping struct {
	engine.Plugin
	resources []sdk.Resource
	result    sdk.Result
	err       error
	task      sdk.Task
}

func (p *sweeping) Run(_ context.Context, task sdk.Task, observer sdk.Observer) (sdk.Result, error) {
	p.task = task
	for _, resource := range p.resources {
		observer.Resource(resource)
	}
	return p.result, p.err
}

func TestSweepResources(t *testing.T) {
	all := []sdk.Resource{{Anchor: "projects/a", State: sdk.Removed}, {Anchor: "projects/b", State: sdk.Left, Reason: "it has no mark"}}
	tests := []struct {
		name   string
		plugin *sweeping
		told   string
		code   int
	}{
		{"all gone", &sweeping{resources: all[:1], result: sdk.Result{Conclusion: sdk.Passed, Message: "1 removed"}}, "removed projects/a\n1 removed\n", 0},
		{"one left", &sweeping{resources: all, result: sdk.Result{Conclusion: sdk.Errored, Message: "1 removed, 1 left"}},
			"removed projects/a\nleft projects/b: it has no mark\n1 removed, 1 left\n", report.ExitError},
		{"the plugin died", &sweeping{resources: all[:1], err: errors.New("the plugin died")}, "removed projects/a\n", report.ExitError},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			removed, err := sweepResources(t.Context(), test.plugin, []byte("{}"), linesTo(&out))
			if removed != 1 || out.String() != test.told {
				t.Errorf("removed %d, told %q", removed, out.String())
			}
			if test.plugin.task.Activity != "clean" || string(test.plugin.task.Target) != "{}" {
				t.Errorf("asked for %+v", test.plugin.task)
			}
			exit, ok := errors.AsType[*exitError](err)
			if ok != (test.code != 0) || ok && exit.code != test.code {
				t.Errorf("got %v, want exit code %d", err, test.code)
			}
		})
	}
}
