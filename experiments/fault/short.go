package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const defaultDuration = "1m0s"

// Read makes a plan's fault of an object's fields, and checks it.
func Read(fields map[string]any) (*plan.Fault, error) {
	if spec, is := fields["spec"].(map[string]any); is && spec["duration"] == nil {
		spec["duration"] = defaultDuration
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return read(data)
}

func read(data []byte) (*plan.Fault, error) {
	object, err := Decode(data)
	if err != nil {
		return nil, err
	}
	return Describe(object)
}

// Ends are the services that a fault is on or lies between.
type Ends struct {
	// Service is the one whose pods the fault is put on, and Namespace theirs.
	Service, Namespace string
	Summary            string         // names the services for a reader
	Spec               map[string]any // the selectors, and the direction between two services
}

// Read makes a plan's fault of a short form that the schema allows. Its errors name
// the short form's fields.
func (k Kind) Read(short map[string]any, ends Ends) (*plan.Fault, error) {
	action, named := short["action"].(string)
	if !named {
		action = k.Actions[0]
	}
	spec, annotations := map[string]any{}, map[string]any{}
	if text, given := short["duration"].(string); given {
		duration, _ := time.ParseDuration(text) // the schema has checked it
		spec["duration"] = duration.String()
	}
	if !k.Implied {
		spec["action"] = action
	}
	for _, field := range k.Fields {
		value, given := short[field.Key]
		message, remedy := "", field.remedy()
		switch applies := field.belongsTo(action); {
		case given && !applies && !slices.Contains(k.actionsOf(field.Key), action):
			message = "belongs to the action " + either(field.Actions)
			remedy = "leave it out, or write action: " + either(field.Actions)
		case !applies:
			continue
		case !given && field.Required:
			message = field.missing(action)
		case !given && field.Default == "${service}":
			value, message = field.object(ends.Service)
		case !given:
			value = field.Default
		default:
			value, message = field.object(value)
		}
		if message != "" {
			return nil, document.Problem{Field: field.Key, Message: message, Remedy: remedy}
		}
		switch {
		case value == nil:
		case field.Annotation != "":
			annotations[field.Annotation] = fmt.Sprint(value)
		default:
			// It fails where a path leads through a value: no row has such a one.
			_ = unstructured.SetNestedField(spec, value, strings.Split(field.Path, ".")...)
		}
	}
	maps.Copy(spec, ends.Spec)
	fault, err := Read(map[string]any{
		"apiVersion": GroupVersion, "kind": k.Name, "spec": spec,
		"metadata": map[string]any{"namespace": ends.Namespace, "annotations": annotations},
	})
	if wrong, ok := errors.AsType[document.Problem](err); ok {
		// The schema and the fields leave the duration, which has its own name.
		wrong.Field = strings.TrimPrefix(wrong.Field, "spec.")
		err = wrong
	}
	if err != nil {
		return nil, err
	}
	fault.Summary += " " + ends.Summary
	return fault, nil
}

// actionsOf are the actions whose short form takes the key: several can share it.
func (k Kind) actionsOf(key string) []string {
	return slices.DeleteFunc(slices.Clone(k.Actions), func(action string) bool {
		return !slices.ContainsFunc(k.Fields, func(field Field) bool { return field.Key == key && field.belongsTo(action) })
	})
}

// Example is a short form with the action that names every field it can have, and
// that Chaos Mesh knows.
// The fault lies between the services, or is on the first.
func (k Kind) Example(action string, services ...string) map[string]any {
	short := map[string]any{}
	if len(k.Actions) > 1 {
		short["action"] = action
	}
	if k.Between {
		short["between"] = []any{services[0], services[1]}
	} else {
		short[ServiceKey] = services[0]
	}
	for _, field := range k.Fields {
		if field.Key != "" && field.Annotation == "" && field.belongsTo(action) {
			short[field.Key] = field.Example
		}
	}
	return short
}
