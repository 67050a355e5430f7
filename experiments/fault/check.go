package fault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Check fills in Chaos Mesh's defaults and validates the object as an API
// server with Chaos Mesh does: first what the custom resource definition
// demands, then what the admission webhook demands. Beyond Chaos Mesh it
// refuses a fault without a duration, which nothing would end if emco-chaos
// died, and a selector that selects every pod.
func Check(object Object) error {
	kind, err := Find(NameOf(object))
	if err != nil {
		return err
	}
	if err := object.Default(context.Background(), object); err != nil {
		return fmt.Errorf("fill in the defaults of Chaos Mesh: %w", err)
	}
	spec, err := specOf(object)
	if err != nil {
		return err
	}
	if err := kind.check(spec); err != nil {
		return err
	}
	for _, selector := range Selectors(object) {
		if err := checkSelector(selector); err != nil {
			return err
		}
	}
	if _, err := object.Validate(); err != nil {
		return fmt.Errorf("refused by Chaos Mesh: %w", err)
	}
	return nil
}

// specOf is the object's spec as JSON has it.
func specOf(object Object) (map[string]any, error) {
	data, err := Encode(object)
	if err != nil {
		return nil, err
	}
	var fields struct {
		Spec map[string]any `json:"spec"`
	}
	err = json.Unmarshal(data, &fields)
	return fields.Spec, err
}

// FieldError says which field of an object is wrong, and what to do about it.
type FieldError struct {
	// Field is a path into the object, such as spec.action.
	Field   string
	Message string
	Remedy  string
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message + "; " + e.Remedy }

// Problem makes a problem of an error of this package; the object stands at
// the field.
func Problem(field string, err error) document.Problem {
	if wrong, ok := errors.AsType[*FieldError](err); ok {
		return document.Problem{Field: field + "." + wrong.Field, Message: wrong.Message, Remedy: wrong.Remedy}
	}
	message := strings.ReplaceAll(err.Error(), "\n", ", ")
	return document.Problem{Field: field, Message: message, Remedy: "write apiVersion, kind and spec as in the reference of Chaos Mesh"}
}

// CheckPlan checks every fault of a plan: that its object is one of Chaos
// Mesh, and the one that the fault says it is.
func CheckPlan(p *plan.Plan) document.Problems {
	var problems document.Problems
	for _, step := range p.Steps {
		if step.Fault == nil {
			continue
		}
		if err := checkFault(step.Fault); err != nil {
			problems = append(problems, Problem(document.Join("steps", step.Name)+".fault", err))
		}
	}
	return problems
}

func checkFault(fault *plan.Fault) error {
	object, err := Decode(fault.Object)
	if err != nil {
		return err
	}
	if err := Check(object); err != nil {
		return err
	}
	described, err := Describe(object)
	if err != nil {
		return err
	}
	if described.Kind != fault.Kind || described.Action != fault.Action {
		return fmt.Errorf("the fault says %s %s, and its object is %s %s", fault.Kind, fault.Action, described.Kind, described.Action)
	}
	return nil
}

// check checks what the custom resource definition demands of a spec, and that
// it has a duration.
func (k Kind) check(spec map[string]any) error {
	action := k.action(spec)
	if message, remedy := unknown(action, slices.Concat(k.Actions, k.ObjectActions)); message != "" {
		return &FieldError{"spec.action", message, remedy}
	}
	for _, field := range k.Fields {
		name := "spec." + field.Path
		value, there := at(spec, field.Path)
		if !there || value == "" {
			if field.Required && field.belongsTo(action) {
				return &FieldError{name, "is missing, and the action is " + action, "write " + field.Key + ": " + field.Example}
			}
			continue
		}
		if message, remedy := field.Type.refuse(field, value); message != "" {
			return &FieldError{name, message, remedy}
		}
	}
	duration, _ := spec["duration"].(string)
	return checkDuration(duration)
}

func checkDuration(text string) error {
	const field = "spec.duration"
	if text == "" {
		return &FieldError{field, "is missing, and nothing would end the fault if emco-chaos died", "write a duration such as 60s"}
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		return &FieldError{field, fmt.Sprintf("%q is not a duration", text), "write a duration such as 60s"}
	}
	if duration < time.Second {
		return &FieldError{field, text + " is less than a second, and Chaos Mesh counts in whole seconds", "write 1s or more"}
	}
	return nil
}

// modes are those that the custom resource definition has.
var modes = []string{"one", "all", "fixed", "fixed-percent", "random-max-percent"}

func checkSelector(selector Selector) error {
	field, spec := selector.Field+".selector", &selector.Selector
	if message, remedy := unknown(string(selector.Mode), modes); message != "" {
		return &FieldError{selector.Field + ".mode", message, remedy}
	}
	switch {
	case len(spec.Pods) > 0:
	case len(spec.LabelSelectors)+len(spec.ExpressionSelectors)+len(spec.AnnotationSelectors)+len(spec.FieldSelectors) == 0:
		return &FieldError{field, "selects every pod of its namespaces", "write labelSelectors"}
	case !slices.ContainsFunc(spec.Namespaces, func(namespace string) bool { return namespace != "" }):
		return &FieldError{field, "names no namespace", "write namespaces"}
	}
	return nil
}
