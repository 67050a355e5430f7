package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

const parametersField = "spec.parameters"

var (
	// written matches the values of parameters, which are texts.
	written = regexp.MustCompile(`^spec\.parameters\.[^.]+\.(default|allowed\[\d+\])$`)
	// unfilled matches the fields in which no parameter can stand.
	unfilled = regexp.MustCompile(`^spec\.(title|description|parameters)\b`)
)

// declared reads the parameters that a file declares, in its order.
func declared(source *document.File) []plan.Parameter {
	var read map[string]plan.Parameter
	source.Decode(parametersField, &read)
	var parameters []plan.Parameter
	for _, name := range source.Keys(parametersField) {
		parameter, field := read[name], document.Join(parametersField, name)
		parameter.Name, parameter.Description = name, strings.TrimSpace(parameter.Description)
		parameter.Type = cmp.Or(parameter.Type, activity.Text)
		parameters = append(parameters, parameter)
		if parameter.Follows != "" && parameter.Default != "" {
			source.Wrong(field+".default", "stands beside follows", "keep one of them")
		}
		if parameter.Follows != "" && (parameter.Type != activity.ServiceName || read[parameter.Follows].Type != activity.CallName) {
			source.Wrong(field, fmt.Sprintf("of type %s, cannot follow %s", parameter.Type, parameter.Follows),
				"only a parameter of type service can follow one of type call")
		}
	}
	return parameters
}

// settle determines each parameter's value as text: the one that is set, else
// its default, else the service of the call that it follows.
func (c *compiler) settle(parameters []plan.Parameter, set map[string]string) map[string]string {
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if _, found := named(parameters, name); !found {
			remedy := instead(name, parameters, "the experiment has no parameters")
			c.file.Add(document.Problem{Field: parametersField, Message: fmt.Sprintf("a value is set for the parameter %q, which is not there", name), Remedy: remedy})
		}
	}
	for _, parameter := range parameters {
		field := document.Join(parametersField, parameter.Name)
		text, isSet := set[parameter.Name]
		switch {
		case isSet:
		case parameter.Default != "":
			text = parameter.Default
		case parameter.Follows != "" || c.file.Troubled(field):
			continue
		default:
			c.file.Wrong(field, "has no value", fmt.Sprintf("set one (%s=VALUE), or write its default", parameter.Name))
			continue
		}
		if message, remedy := c.unfit(parameter, text); message != "" {
			c.file.Wrong(field, message, remedy)
			continue
		}
		values[parameter.Name] = text
	}
	for _, parameter := range parameters {
		call, known := c.catalogue.call(values[parameter.Follows])
		if parameter.Follows == "" || !known {
			continue
		}
		if text, isSet := values[parameter.Name]; isSet && text != call.Service {
			c.file.Wrong(document.Join(parametersField, parameter.Name),
				fmt.Sprintf("%s does not answer %s", text, call.Name),
				fmt.Sprintf("%s does: leave %s out, or choose another %s", call.Service, parameter.Name, parameter.Follows))
			continue
		}
		values[parameter.Name] = call.Service
	}
	return values
}

// unfit explains why the text cannot be the parameter's value.
func (c *compiler) unfit(parameter plan.Parameter, text string) (message, remedy string) {
	if len(parameter.Allowed) > 0 && !slices.Contains(parameter.Allowed, text) {
		return fmt.Sprintf("the value %q is not allowed", text), document.Instead(text, parameter.Allowed)
	}
	what, remedy, fits := "text", "write a text", strings.TrimSpace(text) != ""
	switch parameter.Type {
	case activity.Duration:
		duration, err := time.ParseDuration(text)
		what, remedy, fits = "a duration", "write a duration such as 500ms, 90s or 1m30s", err == nil && duration >= 0
	case activity.Integer:
		_, err := strconv.ParseInt(text, 10, 64)
		what, remedy, fits = "a whole number", "write a whole number", err == nil
	case activity.Boolean:
		what, remedy, fits = "true or false", "write true or false", text == "true" || text == "false"
	case activity.CallName:
		what, remedy = "a call", document.Instead(text, c.catalogue.callNames())
		_, fits = c.catalogue.call(text)
	case activity.ServiceName:
		what, remedy = "a service of the target "+c.target.Name, document.Instead(text, c.serviceNames())
		_, fits = c.target.Services[text]
	}
	if fits {
		return "", ""
	}
	return fmt.Sprintf("the value %q is not %s", text, what), remedy
}

// fill replaces parameters in the file by their values, and reports unused ones.
func (c *compiler) fill(parameters []plan.Parameter, values map[string]string) {
	used := map[string]bool{}
	fills := func(field string) bool { return strings.HasPrefix(field, "spec.") && !unfilled.MatchString(field) }
	c.file.Fill(fills, func(field, name string) (any, bool) {
		parameter, found := named(parameters, name)
		if !found {
			c.file.Wrong(field, fmt.Sprintf("the parameter %q is not there", name), instead(name, parameters, "write it below "+parametersField))
			return nil, false
		}
		used[name] = true
		text, settled := values[name]
		switch parameter.Type {
		case activity.Integer:
			number, _ := strconv.ParseInt(text, 10, 64)
			return number, settled
		case activity.Boolean:
			return text == "true", settled
		}
		return text, settled
	})
	for _, parameter := range parameters {
		used[parameter.Follows] = true
	}
	for _, parameter := range parameters {
		if field := document.Join(parametersField, parameter.Name); !used[parameter.Name] && !c.file.Troubled(field) {
			c.file.Wrong(field, "no value uses this parameter",
				fmt.Sprintf("remove it, or write ${%s} where it belongs", parameter.Name))
		}
	}
}

func named(parameters []plan.Parameter, name string) (plan.Parameter, bool) {
	return find(parameters, func(one plan.Parameter) bool { return one.Name == name })
}

// instead is the remedy for a name that none of the parameters has.
func instead(name string, parameters []plan.Parameter, none string) string {
	if len(parameters) == 0 {
		return none
	}
	var names []string
	for _, parameter := range parameters {
		names = append(names, parameter.Name)
	}
	return document.Instead(name, names)
}
