// Package scenario reads experiment files and compiles them into plans. What
// a step may do, it takes from a catalogue; where faults land, from a target.
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

// schema is a JSON Schema, or a part of one.
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
		forms = append(forms, c.argumentSchema(what.Arguments[0]))
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
	properties := schema{}
	for _, argument := range what.Arguments {
		properties[argument.Name] = c.argumentSchema(argument)
	}
	result := schema{"type": "object", "additionalProperties": false, "properties": properties, "description": what.Summary}
	if needed := required(what); len(needed) > 0 {
		result["required"] = needed
	}
	return result
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

// Catalogue is what a plugin offers to experiments.
type Catalogue struct {
	// Activities are all that a step can name.
	Activities []activity.Activity
	// Calls are the names that arguments of type CallName can have.
	Calls []Call
	// Call names the activity of a step's key call. Its first argument is the call.
	Call string
	// Given names the activity that brings about an experiment's given.
	Given string
	// GivenArgument is the argument of that activity which takes the whole
	// given; empty when the given's keys are its arguments.
	GivenArgument string
	// Teardown names the activity that takes the given back.
	Teardown string
	// Check looks at an activity's arguments together. A [document.Problem] names the
	// wrong one by its path, such as given.dig; nil checks nothing.
	Check func(activity string, arguments map[string]any) error
	// Fits reports whether what the arguments of Given bring about is what a
	// call needs. A [document.Problem] says what is wrong; nil fits all.
	Fits func(arguments map[string]any, call string) error
}

// Call is one call that a service answers.
type Call struct {
	Name    string
	Service string // that answers it
	Summary string // of what is sent, such as "POST dig.instantiate"
}

func (c Catalogue) activity(name string) (activity.Activity, bool) {
	return find(c.Activities, func(one activity.Activity) bool { return one.Name == name })
}

func (c Catalogue) call(name string) (Call, bool) {
	return find(c.Calls, func(one Call) bool { return one.Name == name })
}

func find[T any](list []T, is func(T) bool) (found T, known bool) {
	if at := slices.IndexFunc(list, is); at >= 0 {
		return list[at], true
	}
	return found, false
}

func (c Catalogue) callNames() []string {
	names := make([]string, len(c.Calls))
	for i, call := range c.Calls {
		names[i] = call.Name
	}
	return names
}
