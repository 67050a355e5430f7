package scenario

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// probe reads {NAME: ARGUMENT}, {NAME: {ARGUMENT: VALUE}} or NAME. Of several
// services it asks the member's.
func (c *compiler) probe(m member, value any) *plan.Activity {
	field := document.Join(stepsField, m.written) + ".probe"
	if name, alone := value.(string); alone {
		what, _ := c.catalogue.activity(name)
		return c.activity(field, what, map[string]any{})
	}
	named, _ := value.(map[string]any)
	for name, argument := range named {
		what, _ := c.catalogue.activity(name)
		arguments := map[string]any{} // the member's own
		if written, isMap := argument.(map[string]any); isMap {
			maps.Copy(arguments, written)
		} else if len(what.Arguments) > 0 {
			arguments[what.Arguments[0].Name] = argument
		}
		if m.service != "" {
			arguments[c.serviceKey(name)] = m.service
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
			if !c.canBeAsked(c.element(at, text), text) {
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
