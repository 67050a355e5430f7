package scenario

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/emco-chaos/emco-chaos/experiments/fault"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

type schema = map[string]any

// language is the schema of experiments without the definitions that a
// catalogue makes: given, fault, call and probe.
//
//go:embed language.json
var language []byte

// outline is the schema of what an experiment says before its parameters have
// values. It takes any given and any steps.
var outline = sync.OnceValue(func() *document.Schema {
	return document.Embedded(complete(schema{"given": true, "step": true, "fault": true, "call": true, "probe": true}))()
})

// Schema is the JSON Schema (draft 7) of the experiment files that Compile
// reads with this catalogue, as JSON, for editors.
func Schema(catalogue Catalogue) []byte { return complete(catalogue.definitions()) }

// filled is the same schema for a file whose parameters have their values.
func (c Catalogue) filled() (*document.Schema, error) {
	definitions := c.definitions()
	definitions["parameter"] = false
	return document.ReadSchema(complete(definitions))
}

// complete is the language with these definitions.
func complete(definitions schema) []byte {
	var root schema
	err := json.Unmarshal(language, &root)
	if err == nil {
		maps.Copy(root["definitions"].(schema), definitions)
	}
	data, err2 := json.MarshalIndent(root, "", "  ")
	if err := errors.Join(err, err2); err != nil {
		panic(err) // language.json and a catalogue's texts are always JSON
	}
	return append(data, '\n')
}

func (c Catalogue) definitions() schema {
	given := refused("this plugin brings about no state", "use another plugin")
	if ensure, known := c.activity(c.Given); known && c.GivenArgument != "" {
		given = schema{"type": "object", "description": ensure.Summary}
	} else if known {
		given = c.argumentsSchema(ensure)
	}
	call := refused("this plugin makes no calls", "write a probe")
	if what, known := c.activity(c.Call); known && len(what.Arguments) > 0 {
		call = c.argumentSchema(what.Arguments[0])
	}
	return schema{"given": given, "fault": fault.Schema(), "call": call, "probe": c.probeSchema()}
}

// refused is the schema of what cannot be written.
func refused(message, remedy string) schema {
	return schema{"not": schema{}, "x-message": message, "x-remedy": remedy}
}

// probeSchema is {NAME: ARGUMENT}, {NAME: {ARGUMENT: VALUE}} or NAME.
func (c Catalogue) probeSchema() schema {
	probes, names := schema{}, []string{}
	var needing []any
	for _, what := range c.Activities {
		if !what.Probe {
			continue
		}
		names = append(names, what.Name)
		probes[what.Name] = c.probeForms(what)
		if required := required(what); len(required) > 0 {
			refusal := refused(what.Name+" lacks its argument "+required[0], fmt.Sprintf("write {%s: %s}", what.Name, strings.ToUpper(required[0])))
			refusal["not"] = schema{"const": what.Name}
			needing = append(needing, refusal)
		}
	}
	one := schema{
		"type": "object", "additionalProperties": false, "properties": probes, "x-key": "probe",
		"minProperties": 1, "maxProperties": 1,
		"x-message": "does not name one probe", "x-remedy": "write exactly one, such as {available: SERVICE}",
	}
	alone := schema{"type": "string", "allOf": append([]any{schema{"enum": names, "x-what": "a probe"}}, needing...)}
	return schema{"anyOf": []any{one, alone, schema{"$ref": "#/definitions/parameter"}}, "description": "one of " + strings.Join(names, ", ")}
}

// probeForms are what can stand behind a probe's name: its arguments, or the
// first of them alone if no other one is needed.
func (c Catalogue) probeForms(what activity.Activity) schema {
	if len(what.Arguments) == 0 {
		return schema{"const": schema{}, "description": what.Summary, "x-message": what.Name + " takes no argument", "x-remedy": "write its name alone"}
	}
	forms := []any{c.argumentsSchema(what)}
	first := what.Arguments[0].Name
	if needed := required(what); len(needed) == 0 || len(needed) == 1 && needed[0] == first {
		forms = append(forms, c.probedSchema(what.Arguments[0]))
	}
	return schema{"anyOf": forms, "description": what.Summary}
}

func required(what activity.Activity) []string {
	var names []string
	for _, argument := range what.Arguments {
		if argument.Required {
			names = append(names, argument.Name)
		}
	}
	return names
}

// argumentsSchema is a mapping of an activity's arguments.
func (c Catalogue) argumentsSchema(what activity.Activity) schema {
	properties, of := schema{}, c.argumentSchema
	if what.Probe {
		of = c.probedSchema
	}
	for _, argument := range what.Arguments {
		properties[argument.Name] = of(argument)
	}
	result := schema{"type": "object", "additionalProperties": false, "properties": properties, "description": what.Summary}
	if needed := required(what); len(needed) > 0 {
		result["required"] = needed
	}
	return result
}

// probedSchema is an argument of a probe: where a service can stand, several can.
func (c Catalogue) probedSchema(argument activity.Argument) schema {
	rules := c.argumentSchema(argument)
	if argument.Type == activity.ServiceName {
		one := rules["anyOf"].([]any)
		list := schema{"allOf": []any{schema{"$ref": "#/definitions/services"}, schema{"items": schema{"anyOf": one}}}}
		rules["anyOf"] = append(slices.Clone(one), list)
	}
	return rules
}

func (c Catalogue) argumentSchema(argument activity.Argument) schema {
	rules := schema{"$ref": "#/definitions/text"}
	switch kind := argument.Type; {
	case kind == activity.Integer, kind == activity.Boolean:
		rules = schema{"type": string(kind)}
	case kind == activity.Duration:
		rules = schema{"$ref": "#/definitions/duration"}
	case kind == activity.Mapping:
		rules = schema{"type": "object"}
	case kind == activity.CallName:
		rules = schema{"type": "string", "enum": c.callNames(), "x-what": "a call"}
	case len(argument.Allowed) > 0:
		rules = schema{"type": "string", "enum": argument.Allowed}
		if kind == activity.ServiceName {
			rules["x-what"] = "a service that can be asked"
		}
	}
	return schema{
		"anyOf": []any{rules, schema{"$ref": "#/definitions/parameter"}}, "description": argument.Description,
		"x-missing": "write " + argument.Name + ": " + cmp.Or(strings.Join(argument.Allowed, " or "), strings.ToUpper(string(argument.Type))),
	}
}
