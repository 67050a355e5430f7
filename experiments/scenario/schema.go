package scenario

import (
	"encoding/json"
	"fmt"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// schema is a JSON Schema, or a part of one.
type schema = map[string]any

// Schema is the JSON Schema (draft 7) of the experiment files that Compile
// reads with this catalogue, as JSON. It is for editors: what it refuses
// Compile refuses too, and Compile knows more.
func Schema(catalogue Catalogue) ([]byte, error) {
	steps := schema{
		"type": "object", "minProperties": 1,
		"propertyNames":        schema{"pattern": labelPattern, "maxLength": plan.MaxStepName},
		"additionalProperties": schema{"$ref": "#/definitions/step"},
		"description":          "the steps by name; all start at once but for what they wait for",
	}
	spec := object(schema{
		"title":       text("says in a few words what the experiment shows"),
		"description": text("says what happens and what must follow"),
		"parameters": schema{
			"type": "object", "propertyNames": schema{"pattern": parameterName.String()},
			"additionalProperties": parameterSchema(),
			"description":          "values that whoever runs the experiment may choose; they stand in the file as ${NAME}",
		},
		"attempts": orParameter(schema{"type": "integer", "minimum": 1, "maximum": plan.MaxAttempts, "description": "how often an inconclusive run is tried, the first time included"}),
		"timeouts": object(schema{
			"given": durationSchema("of the given"), "call": durationSchema("of a call"), "fault": durationSchema("of a fault's injection"),
			"probe": durationSchema("of a probe"), "teardown": durationSchema("of the teardown"),
		}),
		"given":    givenSchema(catalogue),
		"steps":    steps,
		"evidence": schema{"type": "array", "items": orParameter(schema{"type": "string", "pattern": claimPattern}), "description": "what must have happened, in this order, for the run to count, such as write.sent < kill.created"},
	}, "title", "given", "steps", "evidence")
	root := object(schema{
		"apiVersion": schema{"const": document.APIVersion},
		"kind":       schema{"const": "Experiment"},
		"metadata":   object(schema{"name": schema{"type": "string", "pattern": labelPattern, "maxLength": 63}}, "name"),
		"spec":       spec,
	}, "apiVersion", "kind", "metadata", "spec")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "an experiment of emco-chaos"
	root["definitions"] = schema{
		"step": stepSchema(catalogue), "fault": fault.Schema(), "parameter": schema{"type": "string", "pattern": `\$\{[^}]*\}`},
	}
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(data, '\n'), nil
}

const (
	labelPattern     = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
	referencePattern = `^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`
	claimPattern     = `^\s*[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\s*(<\s*[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\s*)*$`
	durationPattern  = `^(0|[+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`
)

// object is a mapping that has these keys and no others.
func object(properties schema, required ...string) schema {
	result := schema{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		result["required"] = required
	}
	return result
}

// orParameter is a value, or a text with a parameter in it.
func orParameter(value schema) schema {
	return schema{"anyOf": []any{value, schema{"type": "string", "pattern": `\$\{[^}]*\}`}}}
}

func text(description string) schema {
	return schema{"type": "string", "description": description}
}

func durationSchema(description string) schema {
	return orParameter(schema{"type": "string", "pattern": durationPattern, "description": "how long, " + description + ", such as 1m30s"})
}

func choice(values ...string) schema { return schema{"enum": values} }

func scalars() schema { return schema{"type": []string{"string", "number", "boolean"}} }

func parameterSchema() schema {
	types := make([]string, len(parameterTypes))
	for i, kind := range parameterTypes {
		types[i] = string(kind)
	}
	return object(schema{
		"type": choice(types...), "description": text("says what the value is"), "default": scalars(),
		"allowed": schema{"type": "array", "items": scalars()}, "follows": text("a parameter of type call, whose service this is"),
	})
}

func givenSchema(catalogue Catalogue) schema {
	activity, known := catalogue.activity(catalogue.Given)
	if !known || catalogue.GivenArgument != "" {
		return schema{"type": "object", "description": activity.Summary}
	}
	return argumentsSchema(catalogue, activity)
}

func stepSchema(catalogue Catalogue) schema {
	references := func(description string) schema {
		return schema{"type": "array", "minItems": 1, "items": orParameter(schema{"type": "string", "pattern": referencePattern}), "description": description}
	}
	step := object(schema{
		"after":     references("the events that must all have happened before the step starts"),
		"delay":     durationSchema("from the last of them to the step's start"),
		"while":     text("the activity that must be under way when the step starts"),
		"until":     references("the events at which the step ends"),
		"timeout":   durationSchema("the step may take"),
		"fault":     schema{"$ref": "#/definitions/fault"},
		"call":      argumentOfStep(catalogue),
		"probe":     probeSchema(catalogue),
		"expect":    orParameter(outcomeSchema()),
		"otherwise": schema{"type": "object", "additionalProperties": orParameter(choice(plan.OtherwiseFailed, plan.OtherwiseError)), "description": "what another outcome makes of the run"},
	})
	step["oneOf"] = []any{schema{"required": []string{"fault"}}, schema{"required": []string{"call"}}, schema{"required": []string{"probe"}}}
	return step
}

func outcomeSchema() schema {
	return schema{"anyOf": []any{choice(plan.Outcomes()...), schema{"type": "string", "pattern": "^" + plan.Rejected + " [1-5][0-9][0-9]$"}}}
}

// argumentOfStep is what stands behind a step's key call.
func argumentOfStep(catalogue Catalogue) schema {
	activity, known := catalogue.activity(catalogue.Call)
	if !known || len(activity.Arguments) == 0 {
		return schema{"not": schema{}}
	}
	return argumentSchema(catalogue, activity.Arguments[0])
}

func probeSchema(catalogue Catalogue) schema {
	probes := schema{}
	var alone []string
	for _, activity := range catalogue.Activities {
		if !activity.Probe {
			continue
		}
		forms := []any{argumentsSchema(catalogue, activity)}
		if len(activity.Arguments) > 0 {
			forms = append(forms, argumentSchema(catalogue, activity.Arguments[0]))
		}
		probes[activity.Name] = schema{"anyOf": forms, "description": activity.Summary}
		needs := false
		for _, argument := range activity.Arguments {
			needs = needs || argument.Required
		}
		if !needs {
			alone = append(alone, activity.Name)
		}
	}
	one := object(probes)
	one["minProperties"], one["maxProperties"] = 1, 1
	if len(alone) == 0 {
		return one
	}
	return schema{"anyOf": []any{one, orParameter(choice(alone...))}}
}

// argumentsSchema is a mapping of an activity's arguments.
func argumentsSchema(catalogue Catalogue, what activity.Activity) schema {
	properties := schema{}
	var required []string
	for _, argument := range what.Arguments {
		properties[argument.Name] = argumentSchema(catalogue, argument)
		if argument.Required {
			required = append(required, argument.Name)
		}
	}
	result := object(properties, required...)
	result["description"] = what.Summary
	return result
}

func argumentSchema(catalogue Catalogue, argument activity.Argument) schema {
	var result schema
	switch argument.Type {
	case activity.Integer:
		result = orParameter(schema{"type": "integer"})
	case activity.Boolean:
		result = orParameter(schema{"type": "boolean"})
	case activity.Duration:
		result = durationSchema(argument.Description)
	case activity.CallName:
		result = orParameter(choice(catalogue.callNames()...))
	case activity.Mapping:
		result = schema{"type": "object"}
	default:
		result = schema{"type": "string"}
		if len(argument.Allowed) > 0 {
			result = orParameter(choice(argument.Allowed...))
		}
	}
	result["description"] = argument.Description
	return result
}
