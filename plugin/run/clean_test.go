package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/plugin/engine"
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
	// looks counts the looks for leftovers.
	looks int
}

func (d *littered) Leftovers(context.Context) ([]fault.Object, error) {
	d.looks++
	return d.objects, d.looking
}

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

func TestRemoveFaults(t *testing.T) {
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
			var told []string
			target := &Target{Driver: test.driver, Lock: noLock{}, tell: func(text string) { told = append(told, text) }}
			removed, err := target.RemoveFaults(t.Context())
			if removed != test.removed || len(test.driver.gone) != test.removed {
				t.Errorf("removed %d, gone %v, want %d", removed, test.driver.gone, test.removed)
			}
			if !slices.Equal(told, test.told) {
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
	process
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

func (p *sweeping) Close() {}

func TestClean(t *testing.T) {
	all := []sdk.Resource{{Anchor: "projects/a", State: sdk.Removed}, {Anchor: "projects/b", State: sdk.Left, Reason: "it has no mark"}}
	died, absent, hangs := errors.New("the plugin died"), errors.New("no such plugin"), errors.New("it hangs")
	tests := []struct {
		name    string
		faults  *littered
		plugin  *sweeping
		start   error
		told    []string
		swept   Swept
		remains error
		wrong   error
		settle  time.Duration
	}{
		{
			name: "all gone", faults: &littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}},
			plugin: &sweeping{resources: all[:1], result: sdk.Result{Conclusion: sdk.Passed, Message: "1 removed"}},
			told:   []string{"removed the fault rone-1-hold of run rone", "removed projects/a", "1 removed"}, swept: Swept{Faults: 1, Resources: 1},
		},
		{
			name: "one left", plugin: &sweeping{resources: all, result: sdk.Result{Conclusion: sdk.Errored, Message: "1 removed, 1 left"}},
			told: []string{"removed projects/a", "1 removed, 1 left; left projects/b: it has no mark"}, swept: Swept{Resources: 1}, remains: ErrLeft,
		},
		{
			name: "one left that is named", plugin: &sweeping{resources: all[1:], result: sdk.Result{Conclusion: sdk.Errored, Message: "0 removed, projects/b left"}},
			told: []string{"0 removed, projects/b left"}, remains: ErrLeft,
		},
		{
			name: "two left", plugin: &sweeping{resources: append(all[1:], all[1]), result: sdk.Result{Conclusion: sdk.Errored, Message: "2 left"}},
			told: []string{"left projects/b: it has no mark", "left projects/b: it has no mark", "2 left"}, remains: ErrLeft,
		},
		{name: "the plugin dies", plugin: &sweeping{resources: all[:1], err: died}, told: []string{"removed projects/a"}, swept: Swept{Resources: 1}, remains: died},
		{
			name: "faults go without a plugin", faults: &littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}}, start: absent,
			told: []string{"removed the fault rone-1-hold of run rone"}, swept: Swept{Faults: 1}, remains: absent,
		},
		{
			name: "a call that a fault has held", faults: &littered{objects: []fault.Object{leftover("rone-1-hold", "rone")}},
			plugin: &sweeping{resources: all[:1], result: sdk.Result{Conclusion: sdk.Passed, Message: "1 removed"}}, settle: time.Millisecond,
			told:  []string{"removed the fault rone-1-hold of run rone", "waiting 1ms: a call that a fault has held may still take effect", "removed projects/a", "1 removed"},
			swept: Swept{Faults: 1, Resources: 1},
		},
		{
			name: "no call that a fault could have held", plugin: &sweeping{result: sdk.Result{Conclusion: sdk.Passed, Message: "0 removed"}}, settle: time.Hour,
			told: []string{"0 removed"},
		},
		{name: "a fault stays", faults: &littered{looking: hangs}, wrong: hangs},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.faults == nil {
				test.faults = &littered{}
			}
			var told []string
			target := &Target{Driver: test.faults, Lock: noLock{}, tell: func(text string) { told = append(told, text) }}
			swept, err := target.Clean(t.Context(), test.settle, func(context.Context) (*Plugin, error) {
				return &Plugin{process: test.plugin, target: []byte("{}")}, test.start
			})
			if !errors.Is(err, test.wrong) || !errors.Is(swept.Remains, test.remains) {
				t.Errorf("the error is %v, of resources %v", err, swept.Remains)
			}
			if swept.Faults != test.swept.Faults || swept.Resources != test.swept.Resources || !slices.Equal(told, test.told) {
				t.Errorf("removed %+v, told %q", swept, told)
			}
			if test.plugin != nil && (test.plugin.task.Activity != "clean" || string(test.plugin.task.Target) != "{}") {
				t.Errorf("asked for %+v", test.plugin.task)
			}
		})
	}
}
