package scenario

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// single reads the activity's first argument, which stands alone.
func (c *compiler) single(what activity.Activity, value document.Value) (map[string]any, bool) {
	if len(what.Arguments) == 0 {
		value.Problem(what.Name+" takes no argument", "write its name alone")
		return nil, false
	}
	argument := what.Arguments[0]
	read, ok := c.argument(argument, value)
	if !ok {
		return nil, false
	}
	arguments := map[string]any{argument.Name: read}
	return arguments, c.complete(what, arguments, value)
}

// mapping reads the activity's arguments by their names.
func (c *compiler) mapping(what activity.Activity, value document.Value) (map[string]any, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, false
	}
	arguments := map[string]any{}
	for _, argument := range what.Arguments {
		value, found := fields.Get(argument.Name)
		if !found {
			continue
		}
		read, fine := c.argument(argument, value)
		ok = ok && fine
		arguments[argument.Name] = read
	}
	for _, entry := range fields.Entries() {
		known := slices.ContainsFunc(what.Arguments, func(argument activity.Argument) bool { return argument.Name == entry.Key })
		ok = ok && known
	}
	fields.End()
	return arguments, ok && c.complete(what, arguments, value)
}

func (c *compiler) complete(what activity.Activity, arguments map[string]any, value document.Value) bool {
	complete := true
	for _, argument := range what.Arguments {
		if _, given := arguments[argument.Name]; argument.Required && !given {
			value.Problem(fmt.Sprintf("%s lacks its argument %s", what.Name, argument.Name), "write "+argument.Name+": "+example(argument))
			complete = false
		}
	}
	return complete
}

func example(a activity.Argument) string {
	if len(a.Allowed) > 0 {
		return strings.Join(a.Allowed, " or ")
	}
	return strings.ToUpper(string(a.Type))
}

// argument reads one argument as its type says.
func (c *compiler) argument(argument activity.Argument, value document.Value) (any, bool) {
	switch argument.Type {
	case activity.Integer:
		return answered(value.Integer(math.MinInt32, math.MaxInt32))
	case activity.Boolean:
		return answered(value.Boolean())
	case activity.Duration:
		duration, ok := value.Duration()
		return duration.String(), ok
	case activity.CallName:
		name, ok := value.Text()
		if !ok {
			return nil, false
		}
		if _, known := c.catalogue.call(name); !known {
			value.Problem(fmt.Sprintf("the call %q is not known", name), document.Instead(name, c.catalogue.callNames()))
			return nil, false
		}
		return name, true
	case activity.ServiceName:
		return c.asked(argument, value)
	case activity.Mapping:
		if !value.IsMap() {
			value.Map()
			return nil, false
		}
		return value.Any()
	}
	if len(argument.Allowed) > 0 {
		return answered(value.Choice(argument.Allowed...))
	}
	return answered(value.Text())
}

func answered[T any](value T, ok bool) (any, bool) { return value, ok }

// service reads the name of one of the target's services.
func (c *compiler) service(value document.Value) (string, target.Service, bool) {
	name, ok := value.Text()
	if !ok {
		return "", target.Service{}, false
	}
	service, known := c.target.Services[name]
	if !known {
		value.Problem(fmt.Sprintf("the target %s has no service %q", c.target.Name, name), document.Instead(name, c.serviceNames()))
	}
	return name, service, known
}

// asked reads the name of a service that an activity asks.
func (c *compiler) asked(argument activity.Argument, value document.Value) (any, bool) {
	name, service, ok := c.service(value)
	switch {
	case !ok:
		return nil, false
	case len(argument.Allowed) > 0 && !slices.Contains(argument.Allowed, name):
		value.Problem(fmt.Sprintf("%s cannot be asked", name), document.Instead(name, argument.Allowed))
		return nil, false
	case service.URL == "" && service.Address == "" && c.target.Ingress == nil:
		value.Problem(fmt.Sprintf("the target %s has neither a url nor an address for %s", c.target.Name, name), "write it into the target file")
		return nil, false
	}
	return name, true
}

// perform makes the activity with its arguments. The service whose answer it
// is follows from them: from a call, and from a service that is named.
func (c *compiler) perform(what activity.Activity, arguments map[string]any, value document.Value) (*plan.Activity, bool) {
	result := plainActivity(what, arguments)
	words := []string{what.Name}
	for _, argument := range what.Arguments {
		switch value := arguments[argument.Name].(type) {
		case string:
			words = append(words, value)
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(value)) {
				words = append(words, fmt.Sprintf("%s %v", key, value[key]))
			}
		}
	}
	result.Summary = strings.Join(words, " ")
	if argument, has := what.First(activity.ServiceName); has {
		result.Service, _ = arguments[argument.Name].(string)
	}
	if argument, has := what.First(activity.CallName); has {
		name, _ := arguments[argument.Name].(string)
		if call, known := c.catalogue.call(name); known {
			if what.Name == c.catalogue.Call && call.Summary != "" {
				result.Summary = call.Summary
			}
			if result.Service != "" && result.Service != call.Service {
				value.Problem(fmt.Sprintf("%s does not answer %s", result.Service, call.Name), fmt.Sprintf("%s does: leave the service out", call.Service))
				return nil, false
			}
			result.Service = call.Service
			if service, here := c.target.Services[call.Service]; !here || service.URL == "" && c.target.Ingress == nil {
				value.Problem(fmt.Sprintf("%s answers %s, and the target %s has no url for it", call.Service, call.Name, c.target.Name),
					"write the url of that service, or of an ingress, into the target file")
				return nil, false
			}
		}
	}
	if c.catalogue.Check == nil {
		return result, true
	}
	if err := c.catalogue.Check(what.Name, arguments); err != nil {
		c.wrongArgument(what, value, err)
		return nil, false
	}
	return result, true
}

func (c *compiler) wrongArgument(what activity.Activity, value document.Value, err error) {
	wrong, is := errors.AsType[document.Problem](err)
	if !is {
		value.Problem(err.Error(), "look at the arguments of "+what.Name+": "+strings.Join(what.ArgumentNames(), ", "))
		return
	}
	field, below := value.Field(), wrong.Field
	if what.Name == c.catalogue.Given && c.catalogue.GivenArgument != "" {
		below = strings.TrimPrefix(strings.TrimPrefix(below, c.catalogue.GivenArgument), ".")
	}
	message := wrong.Message
	switch {
	case below == "":
	case value.IsMap():
		field += "." + below
	default:
		message = below + " " + message
	}
	c.file.Add(document.Problem{Field: field, Message: message, Remedy: wrong.Remedy})
}
