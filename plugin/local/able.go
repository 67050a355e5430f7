package local

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
)

// fields are the fields of a spec that the driver heeds: any value of it (nil),
// one of a choice (a []string), or fields of its own. A fault with any other
// field is refused: it would have to be ignored.
type fields map[string]any

// able has the kinds of fault that a local cluster can do.
var able = fields{
	fault.PodChaos: fields{
		"action":         []string{"pod-kill", "container-kill", "pod-failure"},
		"containerNames": nil,
		"duration":       nil,
		"gracePeriod":    nil,
		"mode":           modes,
		"selector":       selector,
	},
	fault.NetworkChaos: fields{
		"action":            []string{"partition"},
		"direction":         nil,
		"duration":          nil,
		"externalTargets":   nil,
		"mode":              modes,
		"partitionBehavior": []string{"drop"},
		"selector":          selector,
		"target":            fields{"mode": modes, "selector": selector},
	},
}

var (
	modes    = []string{"one", "all"}
	selector = fields{"labelSelectors": nil, "namespaces": nil}
)

// refusal is what a local cluster cannot do of an object, if anything.
func refusal(object fault.Object) error {
	data, err := fault.Encode(object)
	if err != nil {
		return err
	}
	var whole struct{ Spec map[string]any }
	if err := json.Unmarshal(data, &whole); err != nil {
		return fmt.Errorf("read a Chaos Mesh object: %w", err)
	}
	kind := fault.NameOf(object)
	known, found := able[kind].(fields)
	if !found {
		return cannot("kind", "do "+kind, slices.Sorted(maps.Keys(able)))
	}
	return known.refused("spec", whole.Spec)
}

func (f fields) refused(path string, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value, field := values[name], path+"."+name
		known, found := f[name]
		if !found {
			remedy := "leave it out"
			if strings.HasSuffix(path, "selector") {
				remedy = "select by namespaces and labelSelectors"
			}
			return refuse(field, "a local cluster cannot do it", remedy)
		}
		switch known := known.(type) {
		case fields:
			below, _ := value.(map[string]any)
			if err := known.refused(field, below); err != nil {
				return err
			}
		case []string:
			if text := fmt.Sprint(value); !slices.Contains(known, text) {
				return cannot(field, "do "+text, known)
			}
		}
	}
	return nil
}

func cannot(field, what string, instead []string) error {
	return refuse(field, "a local cluster cannot "+what, "use "+strings.Join(instead, " or ")+", or run it on a cluster with Chaos Mesh")
}

func refuse(field, message, remedy string) error {
	return &fault.FieldError{Field: field, Message: message, Remedy: remedy}
}
