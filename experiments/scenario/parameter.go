package scenario

import (
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

// parameter is a parameter, and where it is declared.
type parameter struct {
	plan.Parameter
	at document.Value
}

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

var parameterTypes = []activity.Type{
	activity.Text, activity.Duration, activity.Integer, activity.Boolean, activity.CallName, activity.ServiceName,
}

func readParameters(value document.Value) []parameter {
	fields, ok := value.Map()
	if !ok {
		return nil
	}
	var parameters []parameter
	for _, entry := range fields.Entries() {
		if !parameterName.MatchString(entry.Key) {
			entry.Value.Problem(fmt.Sprintf("%q cannot be the name of a parameter", entry.Key), "write letters, digits, hyphens, a letter first")
		}
		if parameter, ok := readParameter(entry); ok {
			parameters = append(parameters, parameter)
		}
	}
	for _, one := range parameters {
		if one.Follows == "" {
			continue
		}
		at := slices.IndexFunc(parameters, func(other parameter) bool { return other.Name == one.Follows })
		if at < 0 || parameters[at].Type != activity.CallName || one.Type != activity.ServiceName {
			one.at.Problem(
				fmt.Sprintf("of type %s, cannot follow %s", one.Type, one.Follows),
				"only a parameter of type service can follow one of type call")
		}
	}
	return parameters
}

func readParameter(entry document.Entry) (parameter, bool) {
	parameter := parameter{Parameter: plan.Parameter{Name: entry.Key, Type: activity.Text}, at: entry.Value}
	fields, ok := entry.Value.Map()
	if !ok {
		return parameter, false
	}
	if value, found := fields.Get("type"); found {
		names := make([]string, len(parameterTypes))
		for i, kind := range parameterTypes {
			names[i] = string(kind)
		}
		if text, ok := value.Choice(names...); ok {
			parameter.Type = activity.Type(text)
		}
	}
	if value, found := fields.Get("description"); found {
		parameter.Description, _ = value.Text()
		parameter.Description = strings.TrimSpace(parameter.Description)
	}
	if value, found := fields.Get("allowed"); found {
		if values, ok := value.List(); ok {
			for _, value := range values {
				if text, ok := value.Scalar(); ok {
					parameter.Allowed = append(parameter.Allowed, text)
				}
			}
		}
	}
	if value, found := fields.Get("follows"); found {
		parameter.Follows, _ = value.Text()
	}
	if value, found := fields.Get("default"); found {
		if text, ok := value.Scalar(); ok {
			parameter.Default = text
			if parameter.Follows != "" {
				value.Problem("stands beside follows", "keep one of them")
			}
		}
	}
	fields.End()
	return parameter, true
}

// values are the parameters of one compilation and which of them were used.
type values struct {
	parameters []parameter
	text       map[string]string
	used       map[string]bool
}

// settle finds each parameter's value: what is set, else its default, else
// what it follows.
func (c *compiler) settle(parameters []parameter, set map[string]string, declared string) *values {
	result := &values{parameters: parameters, text: map[string]string{}, used: map[string]bool{}}
	names := make([]string, len(parameters))
	for i, parameter := range parameters {
		names[i] = parameter.Name
	}
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(names, name) {
			remedy := "the experiment has no parameters"
			if len(names) > 0 {
				remedy = document.Instead(name, names)
			}
			c.file.Add(document.Problem{Field: declared, Message: fmt.Sprintf("a value is set for the parameter %q, which is not there", name), Remedy: remedy})
		}
	}
	for _, parameter := range parameters {
		text, isSet := set[parameter.Name]
		switch {
		case isSet:
		case parameter.Default != "":
			text = parameter.Default
		case parameter.Follows != "":
			continue
		case c.file.Troubled(parameter.at.Field()):
			continue
		default:
			parameter.at.Problem("has no value", fmt.Sprintf("set one (%s=VALUE), or write its default", parameter.Name))
			continue
		}
		if message, remedy := c.unfit(parameter, text); message != "" {
			parameter.at.Problem(message, remedy)
			continue
		}
		result.text[parameter.Name] = text
	}
	for _, parameter := range parameters {
		if parameter.Follows == "" {
			continue
		}
		result.used[parameter.Follows] = true
		call, known := c.catalogue.call(result.text[parameter.Follows])
		if !known {
			continue
		}
		text, isSet := result.text[parameter.Name]
		if isSet && text != call.Service {
			parameter.at.Problem(
				fmt.Sprintf("%s does not answer %s", text, call.Name),
				fmt.Sprintf("%s does: leave %s out, or choose another %s", call.Service, parameter.Name, parameter.Follows))
			continue
		}
		result.text[parameter.Name] = call.Service
	}
	return result
}

// unfit says why the text cannot be the parameter's value.
func (c *compiler) unfit(parameter parameter, text string) (message, remedy string) {
	if len(parameter.Allowed) > 0 && !slices.Contains(parameter.Allowed, text) {
		return fmt.Sprintf("the value %q is not allowed", text), document.Instead(text, parameter.Allowed)
	}
	switch parameter.Type {
	case activity.Duration:
		if duration, err := time.ParseDuration(text); err != nil || duration < 0 {
			return fmt.Sprintf("the value %q is not a duration", text), "write a duration such as 500ms, 90s or 1m30s"
		}
	case activity.Integer:
		if _, err := strconv.Atoi(text); err != nil {
			return fmt.Sprintf("the value %q is not a whole number", text), "write a whole number"
		}
	case activity.Boolean:
		if text != "true" && text != "false" {
			return fmt.Sprintf("the value %q is not true or false", text), "write true or false"
		}
	case activity.CallName:
		if _, known := c.catalogue.call(text); !known {
			return fmt.Sprintf("the value %q is not a call", text), document.Instead(text, c.catalogue.callNames())
		}
	case activity.ServiceName:
		if _, known := c.target.Services[text]; !known {
			return fmt.Sprintf("the target %s has no service %q", c.target.Name, text), document.Instead(text, c.serviceNames())
		}
	case activity.Text, activity.Mapping:
		if strings.TrimSpace(text) == "" {
			return "the value is empty", "write a text"
		}
	}
	return "", ""
}

// fill puts the parameters' values into the texts of the value.
func (v *values) fill(value document.Value) {
	value.Fill(func(at document.Value, name string) (string, document.Kind, bool) {
		for _, parameter := range v.parameters {
			if parameter.Name != name {
				continue
			}
			v.used[name] = true
			text, settled := v.text[name]
			kind := document.TextKind
			switch parameter.Type {
			case activity.Integer:
				kind = document.IntegerKind
			case activity.Boolean:
				kind = document.BooleanKind
			}
			return text, kind, settled
		}
		names := make([]string, len(v.parameters))
		for i, parameter := range v.parameters {
			names[i] = parameter.Name
		}
		remedy := "write it below spec.parameters"
		if len(names) > 0 {
			remedy = document.Instead(name, names)
		}
		at.Problem(fmt.Sprintf("the parameter %q is not there", name), remedy)
		return "", "", false
	})
}

// unused reports the parameters that no value uses.
func (v *values) unused() {
	for _, parameter := range v.parameters {
		if !v.used[parameter.Name] {
			parameter.at.Problem("no value uses this parameter", fmt.Sprintf("remove it, or write ${%s} where it belongs", parameter.Name))
		}
	}
}
