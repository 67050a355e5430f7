package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// given is the activity that brings about the given; nil if it could not be read.
func (c *compiler) given() *plan.Activity {
	what, _ := c.catalogue.activity(c.catalogue.Given)
	arguments := c.read.Spec.Given
	switch {
	case arguments == nil:
		return nil
	case c.catalogue.GivenArgument != "":
		arguments = map[string]any{c.catalogue.GivenArgument: arguments}
	}
	return c.activity(givenField, what, arguments)
}

// teardown returns the activity that takes the given state back.
func (c *compiler) teardown() *plan.Activity {
	what, known := c.catalogue.activity(c.catalogue.Teardown)
	if !known {
		c.file.Add(document.Problem{Field: givenField, Message: "this plugin cannot take the given back", Remedy: "use another plugin"})
		return nil
	}
	return plainActivity(what, map[string]any{})
}

// probe reads {NAME: ARGUMENT}, {NAME: {ARGUMENT: VALUE}} or NAME.
func (c *compiler) probe(field string, value any) *plan.Activity {
	if name, alone := value.(string); alone {
		what, _ := c.catalogue.activity(name)
		return c.activity(field, what, map[string]any{})
	}
	named, _ := value.(map[string]any)
	for name, argument := range named {
		what, _ := c.catalogue.activity(name)
		arguments, isMap := argument.(map[string]any)
		if !isMap && len(what.Arguments) > 0 {
			arguments = map[string]any{what.Arguments[0].Name: argument}
		}
		return c.activity(document.Join(field, name), what, arguments)
	}
	return nil
}

func plainActivity(what activity.Activity, arguments map[string]any) *plan.Activity {
	return &plan.Activity{
		Name: what.Name, Arguments: arguments, Summary: what.Name,
		Events: what.Events, Ends: what.Ends, Lasting: what.Lasting, Recheck: what.Recheck, Measures: what.Measures,
	}
}

// activity builds an activity from the arguments at the field; nil if they have a
// problem. Its service follows from a call or a service among them.
func (c *compiler) activity(field string, what activity.Activity, arguments map[string]any) *plan.Activity {
	if c.file.Troubled(field) {
		return nil
	}
	result := plainActivity(what, arguments)
	for _, argument := range what.Arguments {
		switch value := arguments[argument.Name].(type) {
		case string:
			result.Summary += " " + value
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				result.Summary += fmt.Sprintf(" %s %v", key, value[key])
			}
		}
		text, isText := arguments[argument.Name].(string)
		if duration, err := time.ParseDuration(text); argument.Type == activity.Duration && err == nil {
			arguments[argument.Name] = duration.String()
		}
		if argument.Type == activity.ServiceName && isText {
			at := field
			if _, own := c.file.Value(document.Join(field, argument.Name)); own {
				at = document.Join(field, argument.Name)
			}
			if !c.canBeAsked(at, text) {
				return nil
			}
			result.Service = text
		}
	}
	if argument, has := what.First(activity.CallName); has && !c.answers(field, result, argument) {
		return nil
	}
	if c.catalogue.Check != nil {
		if err := c.catalogue.Check(what.Name, arguments); err != nil {
			c.wrongArgument(field, what, err)
			return nil
		}
	}
	return result
}

// answers sets the service that answers the activity's call, if there is one, and
// reports whether the target has it.
func (c *compiler) answers(field string, result *plan.Activity, argument activity.Argument) bool {
	name, _ := result.Arguments[argument.Name].(string)
	call, known := c.catalogue.call(name)
	if !known {
		return true
	}
	if result.Name == c.catalogue.Call && call.Summary != "" {
		result.Summary = call.Summary
	}
	if result.Service != "" && result.Service != call.Service {
		c.file.Wrong(field, fmt.Sprintf("%s does not answer %s", result.Service, call.Name), call.Service+" does: leave the service out")
		return false
	}
	result.Service = call.Service
	service, known := c.target.Services[call.Service]
	if service.URL == "" && (c.target.Ingress == nil || !known) {
		c.file.Wrong(field, fmt.Sprintf("%s answers %s, and the target %s has no url for it", call.Service, call.Name, c.target.Name),
			"write the url of that service, or of an ingress, into the target file")
		return false
	}
	return true
}

// service looks up the service of the target whose name stands at the field.
func (c *compiler) service(field, name string) (target.Service, bool) {
	service, known := c.target.Services[name]
	if !known {
		c.file.Wrong(field, fmt.Sprintf("the target %s has no service %q", c.target.Name, name), document.Instead(name, c.serviceNames()))
	}
	return service, known
}

// canBeAsked checks that the target has an address of the service.
func (c *compiler) canBeAsked(field, name string) bool {
	service, known := c.service(field, name)
	if known && service.URL == "" && service.Address == "" && c.target.Ingress == nil {
		c.file.Wrong(field, fmt.Sprintf("the target %s has neither a url nor an address for %s", c.target.Name, name), "write it into the target file")
		return false
	}
	return known
}

// wrongArgument reports a problem with the arguments at the field.
func (c *compiler) wrongArgument(field string, what activity.Activity, err error) {
	wrong, is := errors.AsType[document.Problem](err)
	if !is {
		c.file.Wrong(field, err.Error(), "look at the arguments of "+what.Name+": "+strings.Join(what.ArgumentNames(), ", "))
		return
	}
	if what.Name == c.catalogue.Given && c.catalogue.GivenArgument != "" {
		wrong.Field = strings.TrimPrefix(strings.TrimPrefix(wrong.Field, c.catalogue.GivenArgument), ".")
	}
	value, _ := c.file.Value(field)
	switch {
	case wrong.Field == "":
	case isMap(value):
		field += "." + wrong.Field
	default:
		wrong.Message = wrong.Field + " " + wrong.Message
	}
	wrong.Field = field
	c.file.Add(wrong)
}

// checkCalls checks what depends on a call: the given state that it is
// made in, and the waits for what it leads to.
func (c *compiler) checkCalls(result *plan.Plan) {
	ensure, _ := c.catalogue.activity(c.catalogue.Given)
	for _, step := range result.Steps {
		if c.catalogue.Fits == nil || result.Given.Activity == nil || !c.first(result, step) || strings.HasPrefix(step.Expect, plan.Rejected) {
			continue
		}
		if err := c.catalogue.Fits(result.Given.Activity.Arguments, c.callOf(step)); err != nil {
			c.wrongArgument(givenField, ensure, err)
		}
	}
	made := c.made(result)
	for _, step := range result.Steps {
		if step.Activity == nil || len(c.unread) > 0 {
			continue
		}
		what, _ := c.catalogue.activity(step.Activity.Name)
		if name := c.callOf(step); what.Follows && name != "" && !slices.Contains(made, name) {
			c.file.Add(document.Problem{
				Field:   document.Join(stepsField, step.Name) + ".probe",
				Message: fmt.Sprintf("waits for what %s leads to, and no step makes that call", name),
				Remedy:  document.Instead(name, made),
			})
		}
	}
}

// callOf is the call that a step names; empty when it names none.
func (c *compiler) callOf(step plan.Step) string {
	if step.Activity == nil {
		return ""
	}
	what, _ := c.catalogue.activity(step.Activity.Name)
	argument, _ := what.First(activity.CallName)
	name, _ := step.Activity.Arguments[argument.Name].(string)
	return name
}

// made are the calls that steps make, be it in a probe that repeats them.
func (c *compiler) made(result *plan.Plan) []string {
	var made []string
	for _, step := range result.Steps {
		if name := c.callOf(step); name != "" && step.Activity.Lasting && !slices.Contains(made, name) {
			made = append(made, name)
		}
	}
	return made
}

// first reports whether the step is a call that meets the given: none is before it.
func (c *compiler) first(result *plan.Plan, step plan.Step) bool {
	if step.Activity == nil || step.Activity.Name != c.catalogue.Call {
		return false
	}
	seen := map[string]bool{step.Name: true}
	for waiting := step.After; len(waiting) > 0; waiting = waiting[1:] {
		name := waiting[0].Step
		before, _ := result.Find(name)
		switch {
		case seen[name]:
			continue
		case c.callOf(before) != "" && before.Activity.Lasting:
			return false
		}
		seen[name] = true
		waiting = append(slices.Clone(waiting), before.After...)
	}
	return true
}

// fault makes a plan's fault of what stands at the field: the short form of a
// kind of fault, or a whole object; nil if something is wrong there.
func (c *compiler) fault(field string) *plan.Fault {
	if c.file.Troubled(field) {
		return nil
	}
	value, _ := c.file.Value(field)
	for key, form := range value.(map[string]any) {
		field, form := document.Join(field, key), form.(map[string]any)
		read := fault.Read
		if kind, short := fault.Short(key); short {
			ends, found := c.ends(kind, field, form)
			if !found {
				return nil
			}
			read = func(form map[string]any) (*plan.Fault, error) { return kind.Read(form, ends) }
		}
		result, err := read(form)
		if err == nil {
			return result
		}
		wrong := fault.Problem(field, err)
		c.file.Wrong(wrong.Field, wrong.Message, wrong.Remedy)
	}
	return nil
}

// ends finds the services of a short form in the target.
func (c *compiler) ends(kind fault.Kind, field string, short map[string]any) (fault.Ends, bool) {
	if kind.Between {
		return c.between(field, short)
	}
	return c.source(document.Join(field, "service"), short["service"], "name a service that has labels in the target file")
}

// source finds the service that a fault is put on: it has pods.
func (c *compiler) source(field string, name any, remedy string) (fault.Ends, bool) {
	first, _ := name.(string)
	service, known := c.service(field, first)
	if known && !service.HasPods() {
		c.file.Wrong(field, fmt.Sprintf("%s has no pods: the target gives it no labels", first), remedy)
	}
	selector := pods(service)
	return fault.Ends{
		Service: first, Namespace: service.Namespace, Summary: first,
		Spec: map[string]any{"selector": selector.Selector, "mode": selector.Mode},
	}, known && service.HasPods()
}

// pods selects all pods of a service.
func pods(service target.Service) v1alpha1.PodSelector {
	return v1alpha1.PodSelector{
		Mode: v1alpha1.AllMode,
		Selector: v1alpha1.PodSelectorSpec{GenericSelectorSpec: v1alpha1.GenericSelectorSpec{
			Namespaces:     []string{service.Namespace},
			LabelSelectors: service.Labels,
		}},
	}
}

// between finds the two services that a fault lies between. The first has
// pods; the second has pods too, or is outside. What is outside Chaos Mesh can
// partition both ways, and hit otherwise only on the way to it.
func (c *compiler) between(field string, short map[string]any) (fault.Ends, bool) {
	list := short["between"].([]any)
	second := document.Join(field, "between") + "[1]"
	result, ok := c.source(document.Join(field, "between")+"[0]", list[0], "name a service with labels first, and the one without second")
	name, _ := list[1].(string)
	service, known := c.service(second, name)
	direction := short["direction"]
	oneWay := !service.HasPods() && short["action"] != string(v1alpha1.PartitionAction)
	switch {
	case !known || !ok:
		return result, false
	case name == result.Service:
		c.file.Wrong(second, "is the same service", "name another one")
		return result, false
	case !service.HasPods() && service.Host() == "":
		c.file.Wrong(second, fmt.Sprintf("%s has neither labels nor an address in the target", name), "write one of them into the target file")
		return result, false
	case direction == nil && oneWay:
		direction = v1alpha1.To
	case direction == nil:
		direction = v1alpha1.Both
	case oneWay && direction != string(v1alpha1.To):
		c.file.Wrong(document.Join(field, "direction"), fmt.Sprintf("a %s can hit what has no pods only on the way to it", short["action"]), "write direction: to")
		return result, false
	}
	result.Summary = "between " + result.Service + " and " + name
	result.Spec["direction"] = direction
	if service.HasPods() {
		result.Spec["target"] = pods(service)
	} else {
		result.Spec["externalTargets"] = []string{service.Host()}
	}
	return result, true
}
