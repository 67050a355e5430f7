package scenario

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

// single reads the activity's first argument, which stands alone.
func (c *compiler) single(activity Activity, value document.Value) (map[string]any, bool) {
	if len(activity.Arguments) == 0 {
		value.Problem(activity.Name+" takes no argument", "write its name alone")
		return nil, false
	}
	argument := activity.Arguments[0]
	read, ok := c.argument(argument, value)
	if !ok {
		return nil, false
	}
	arguments := map[string]any{argument.Name: read}
	return arguments, c.complete(activity, arguments, value)
}

// mapping reads the activity's arguments by their names.
func (c *compiler) mapping(activity Activity, value document.Value) (map[string]any, bool) {
	fields, ok := value.Map()
	if !ok {
		return nil, false
	}
	arguments := map[string]any{}
	for _, argument := range activity.Arguments {
		value, found := fields.Get(argument.Name)
		if !found {
			continue
		}
		read, fine := c.argument(argument, value)
		ok = ok && fine
		arguments[argument.Name] = read
	}
	for _, entry := range fields.Entries() {
		known := slices.ContainsFunc(activity.Arguments, func(argument Argument) bool { return argument.Name == entry.Key })
		ok = ok && known
	}
	fields.End()
	return arguments, ok && c.complete(activity, arguments, value)
}

func (c *compiler) complete(activity Activity, arguments map[string]any, value document.Value) bool {
	complete := true
	for _, argument := range activity.Arguments {
		if _, given := arguments[argument.Name]; argument.Required && !given {
			value.Problem(fmt.Sprintf("%s lacks its argument %s", activity.Name, argument.Name), "write "+argument.Name+": "+argument.example())
			complete = false
		}
	}
	return complete
}

func (a Argument) example() string {
	if len(a.Allowed) > 0 {
		return strings.Join(a.Allowed, " or ")
	}
	return strings.ToUpper(string(a.Type))
}

// argument reads one argument as its type says.
func (c *compiler) argument(argument Argument, value document.Value) (any, bool) {
	switch argument.Type {
	case Integer:
		return answered(value.Integer(math.MinInt32, math.MaxInt32))
	case Boolean:
		return answered(value.Boolean())
	case Duration:
		duration, ok := value.Duration()
		return duration.String(), ok
	case CallName:
		name, ok := value.Text()
		if !ok {
			return nil, false
		}
		if _, known := c.catalogue.call(name); !known {
			value.Problem(fmt.Sprintf("the call %q is not known", name), document.Instead(name, c.catalogue.callNames()))
			return nil, false
		}
		return name, true
	case ServiceName:
		return c.asked(argument, value)
	case Mapping:
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
func (c *compiler) asked(argument Argument, value document.Value) (any, bool) {
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
func (c *compiler) perform(activity Activity, arguments map[string]any, value document.Value) (*plan.Activity, bool) {
	result := plainActivity(activity, arguments)
	words := []string{activity.Name}
	for _, argument := range activity.Arguments {
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
	if argument, has := activity.argument(ServiceName); has {
		result.Service, _ = arguments[argument.Name].(string)
	}
	if argument, has := activity.argument(CallName); has {
		name, _ := arguments[argument.Name].(string)
		if call, known := c.catalogue.call(name); known {
			if activity.Name == c.catalogue.Call && call.Summary != "" {
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
	if activity.Check == nil {
		return result, true
	}
	if err := activity.Check(arguments); err != nil {
		c.wrongArgument(activity, value, err)
		return nil, false
	}
	return result, true
}

func (c *compiler) wrongArgument(activity Activity, value document.Value, err error) {
	var wrong *ArgumentError
	if !errors.As(err, &wrong) {
		value.Problem(err.Error(), "look at the arguments of "+activity.Name+": "+activity.argumentNames())
		return
	}
	field, below := value.Field(), wrong.Argument
	if activity.Name == c.catalogue.Given && c.catalogue.GivenArgument != "" {
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
