package fault

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
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
	_, err := Describe(object)
	return err
}

// Describe makes a plan's fault of the object, and checks it as [Check] does. A
// [document.Problem] names the object's field.
func Describe(object Object) (*plan.Fault, error) {
	kind, err := Find(NameOf(object))
	if err != nil {
		return nil, err
	}
	if err := object.Default(context.Background(), object); err != nil {
		return nil, fmt.Errorf("fill in the defaults of Chaos Mesh: %w", err)
	}
	fields, err := fieldsOf(object)
	if err != nil {
		return nil, err
	}
	problem := kind.check(fields)
	for _, selector := range Selectors(object) {
		problem = cmp.Or(problem, selector.check())
	}
	if problem != (document.Problem{}) {
		return nil, problem
	}
	if _, err := object.Validate(); err != nil {
		return nil, fmt.Errorf("refused by Chaos Mesh: %w", err)
	}
	data, err := json.Marshal(fields)
	action := kind.action(fields)
	return &plan.Fault{Kind: kind.Name, Action: action, Summary: action, Object: data}, err
}

// check checks what the custom resource definition demands of an object's
// fields, and that something ends the fault.
func (k Kind) check(fields map[string]any) document.Problem {
	action, actions := k.action(fields), slices.Concat(k.Actions, k.ObjectActions)
	if action == "" {
		return document.Problem{Field: "spec", Message: "does nothing", Remedy: "write what belongs to one of " + strings.Join(actions, ", ")}
	}
	problem := oneOf("spec.action", action, actions)
	for _, field := range k.Fields {
		text := field.text(fields)
		found := document.Problem{Field: "spec." + field.Path, Remedy: field.remedy()}
		switch {
		case text == "" && field.Required && field.belongsTo(action):
			found.Message = field.missing(action)
		case text == "":
			continue
		case len(field.enum()) > 0:
			found = oneOf(found.Field, text, field.enum())
		case !regexp.MustCompile(field.Object.Pattern).MatchString(text):
			found.Message = fmt.Sprintf("%q is not %s", text, field.Object.What)
		}
		if found.Message != "" {
			problem = cmp.Or(problem, found)
		}
	}
	text := Field{Path: "duration"}.text(fields)
	ending := document.Problem{Field: "spec.duration", Remedy: "write a duration such as 60s"}
	switch duration, err := time.ParseDuration(text); {
	case text == "":
		ending.Message = "is missing, and nothing would end the fault if emco-chaos died"
	case err != nil:
		ending.Message = fmt.Sprintf("%q is not a duration", text)
	case duration < time.Second:
		ending.Message, ending.Remedy = text+" is less than a second, and Chaos Mesh counts in whole seconds", "write 1s or more"
	default:
		return problem
	}
	return cmp.Or(problem, ending)
}

func oneOf(field, value string, allowed []string) document.Problem {
	if slices.Contains(allowed, value) {
		return document.Problem{}
	}
	return document.Problem{Field: field, Message: fmt.Sprintf("%q is not known", value), Remedy: document.Instead(value, allowed)}
}

func (s Selector) check() document.Problem {
	spec, field := &s.Selector, s.Field+".selector"
	problem := oneOf(s.Field+".mode", string(s.Mode), []string{"one", "all", "fixed", "fixed-percent", "random-max-percent"})
	switch {
	case len(spec.Pods) > 0:
	case len(spec.LabelSelectors)+len(spec.ExpressionSelectors)+len(spec.AnnotationSelectors)+len(spec.FieldSelectors) == 0:
		return cmp.Or(problem, document.Problem{Field: field, Message: "selects every pod of its namespaces", Remedy: "write labelSelectors"})
	case !slices.ContainsFunc(spec.Namespaces, func(namespace string) bool { return namespace != "" }):
		return cmp.Or(problem, document.Problem{Field: field, Message: "names no namespace", Remedy: "write namespaces"})
	}
	return problem
}

// Problem makes a problem of an error with the object that stands at the field.
func Problem(field string, err error) document.Problem {
	if wrong, ok := errors.AsType[document.Problem](err); ok {
		wrong.Field = field + "." + wrong.Field
		return wrong
	}
	message := strings.ReplaceAll(err.Error(), "\n", ", ")
	return document.Problem{Field: field, Message: message, Remedy: "write apiVersion, kind and spec as in the reference of Chaos Mesh"}
}

// CheckPlan checks every fault's object, and that the fault names its kind and
// action.
func CheckPlan(p *plan.Plan) document.Problems {
	var problems document.Problems
	for _, step := range p.Steps {
		if step.Fault == nil {
			continue
		}
		described, err := read(step.Fault.Object)
		if err == nil && (described.Kind != step.Fault.Kind || described.Action != step.Fault.Action) {
			err = fmt.Errorf("the fault says %s %s, and its object is %s %s", step.Fault.Kind, step.Fault.Action, described.Kind, described.Action)
		}
		if err != nil {
			problems = append(problems, Problem(document.Join("steps", step.Name)+".fault", err))
		}
	}
	return problems
}
