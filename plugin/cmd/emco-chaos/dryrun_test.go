package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/chaosmesh"
	"github.com/emco-chaos/emco-chaos/plugin/local"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/probes/target"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// killing is a plan with one fault, on pods with a label.
func killing(t *testing.T, label string) *plan.Plan {
	t.Helper()
	object := &v1alpha1.PodChaos{}
	object.APIVersion, object.Kind, object.Namespace = fault.GroupVersion, fault.PodChaos, "market"
	object.Spec.Action = v1alpha1.PodKillAction
	object.Spec.Mode = v1alpha1.AllMode
	object.Spec.Selector.Namespaces = []string{"market"}
	object.Spec.Selector.LabelSelectors = map[string]string{"app": label}
	object.Spec.Duration = new("60s")
	described, err := fault.Describe(object)
	if err != nil {
		t.Fatal(err)
	}
	return &plan.Plan{Experiment: "sample", Steps: []plan.Step{{Name: "kill", Fault: described}}}
}

var inMarket = &target.Target{Services: map[string]target.Service{"shop": {Namespace: "market", Labels: map[string]string{"app": "shop"}}}}

func market() client.Reader {
	return described{Description: &local.Description{Namespace: "market", Pods: []local.Pod{
		{Name: "shop-1", Labels: map[string]string{"app": "shop"}}, {Name: "shop-2", Labels: map[string]string{"app": "shop"}}, {Name: "stock", Labels: map[string]string{"app": "stock"}},
	}}}
}

func TestPrintFaults(t *testing.T) {
	var out bytes.Buffer
	if err := printFaults(t.Context(), &out, market(), inMarket, killing(t, "shop")); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"kill", "pod-kill", "pod market/shop-1\n", "pod market/shop-2\n"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q does not say %q", out.String(), text)
		}
	}
	if strings.Contains(out.String(), "stock") {
		t.Errorf("%q names a pod that is not selected", out.String())
	}
}

func TestPrintFaultsRefusesWhatARunWould(t *testing.T) {
	var out bytes.Buffer
	err := printFaults(t.Context(), &out, market(), inMarket, killing(t, "shopp"))
	if err == nil {
		t.Fatalf("nothing is refused: %s", out.String())
	}
	for _, text := range []string{"step kill", "app=shopp", "app=shop", "market"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}

func TestDescribedHasThePodsOfItsNamespace(t *testing.T) {
	for namespace, want := range map[string]int{"market": 1, "elsewhere": 0} {
		pods, err := chaosmesh.Pods(t.Context(), market(), namespace, map[string]string{"app": "stock"})
		if err != nil || len(pods) != want {
			t.Errorf("%s: %d pods, %v", namespace, len(pods), err)
		}
	}
	if err := market().List(t.Context(), &corev1.NodeList{}); err == nil {
		t.Error("it has nodes")
	}
}

// previewing is a plugin that answers with a result.
type previewing struct {
	task   sdk.Task
	result sdk.Result
}

func (p *previewing) Ask(_ context.Context, task sdk.Task, _ func(string)) (sdk.Result, error) {
	p.task = task
	return p.result, nil
}

func TestPrintResources(t *testing.T) {
	given := &plan.Plan{Experiment: "sample", Given: plan.Step{Activity: &plan.Activity{Name: "ensure", Summary: "ensure a shop", Arguments: map[string]any{"given": "open"}}}}
	existing := &plan.Plan{Experiment: "sample", BlastRadius: []string{"shops/one: closed"}}
	tests := []struct {
		name     string
		plan     *plan.Plan
		previews bool
		result   sdk.Result
		said     string
		wrong    string
	}{
		{"a plugin that tells", given, true, sdk.Result{Conclusion: sdk.Passed, Message: "1 resource"}, "    1 resource\n", ""},
		{"a plugin that does not", given, false, sdk.Result{}, "resources: ensure a shop; the plugin does not tell which", ""},
		{"a given that cannot be", given, true, sdk.Result{Conclusion: sdk.Errored, Message: "no such shop"}, "", "no such shop"},
		{"existing ones", existing, true, sdk.Result{}, "shops/one: closed", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			plugin := &previewing{result: test.result}
			err := printResources(t.Context(), &out, test.plan, plugin, test.previews)
			if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("got %v, want %q", err, test.wrong)
			}
			if !strings.Contains(out.String(), test.said) {
				t.Errorf("%q does not say %q", out.String(), test.said)
			}
			if plugin.task.Activity != "" {
				if data, err := json.Marshal(plugin.task.Arguments); err != nil || string(data) != `{"given":"open"}` {
					t.Errorf("asked with %s, %v", data, err)
				}
			}
		})
	}
}

// A journal that is named needs no folder of the user's.
func TestJournalWithoutAHome(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", "")
	target := emulated(t)
	for name, test := range map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"named":     {[]string{"--journal", "here.jsonl"}, 0, "kill         pod-kill orchestrator\n", ""},
		"not named": {nil, 4, "", "find a folder for the journal: $HOME is not defined; name a file with --journal\n"},
	} {
		args := append([]string{"run", "dig-instantiate-in-flight", "--dry-run", "--target", target, "--plugin-dir", bin}, test.args...)
		code, out, errs := emcoChaos(args...)
		if code != test.code || !strings.Contains(out, test.out) || test.err != "" && errs != test.err {
			t.Errorf("%s: exit code %d, printed\n%s%s", name, code, out, errs)
		}
	}
}
