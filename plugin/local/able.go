package local

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// able has the kinds of fault that a local cluster can do, by the fields of a spec
// that it heeds, with the values that it can do if not all. A fault with any other
// field is refused: it would have to be ignored.
var able = map[string]map[string][]string{
	fault.PodChaos: {
		"spec.action": {"pod-kill", "container-kill", "pod-failure"}, "spec.containerNames": nil, "spec.duration": nil, "spec.gracePeriod": nil,
		"spec.mode": modes, "spec.selector.labelSelectors": nil, "spec.selector.namespaces": nil,
	},
	fault.NetworkChaos: {
		"spec.action": {"partition"}, "spec.direction": nil, "spec.duration": nil, "spec.externalTargets": nil, "spec.partitionBehavior": {"drop"},
		"spec.mode": modes, "spec.selector.labelSelectors": nil, "spec.selector.namespaces": nil,
		"spec.target.mode": modes, "spec.target.selector.labelSelectors": nil, "spec.target.selector.namespaces": nil,
	},
}

var modes = []string{"one", "all"}

// refusal is what a local cluster cannot do of an object, if anything.
func refusal(object fault.Object) error {
	kind := fault.NameOf(object)
	known, found := able[kind]
	if !found {
		return cannot("kind", "do "+kind, slices.Sorted(maps.Keys(able)))
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return fmt.Errorf("read a Chaos Mesh object: %w", err)
	}
	return refused(known, "spec", fields["spec"])
}

func refused(known map[string][]string, field string, value any) error {
	if values, found := known[field]; found {
		if text := fmt.Sprint(value); values != nil && !slices.Contains(values, text) {
			return cannot(field, "do "+text, values)
		}
		return nil
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(one string) bool { return strings.HasPrefix(one, field+".") }) {
		remedy := "leave it out"
		if strings.Contains(field, "selector.") {
			remedy = "select by namespaces and labelSelectors"
		}
		return refuse(field, "a local cluster cannot do it", remedy)
	}
	below, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(below)) {
		if err := refused(known, field+"."+name, below[name]); err != nil {
			return err
		}
	}
	return nil
}

func cannot(field, what string, instead []string) error {
	return refuse(field, "a local cluster cannot "+what, "use "+strings.Join(instead, " or ")+", or run it on a cluster with Chaos Mesh")
}

func refuse(field, message, remedy string) error {
	return document.Problem{Field: field, Message: message, Remedy: remedy}
}
