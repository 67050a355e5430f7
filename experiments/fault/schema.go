package fault

import (
	"fmt"
	"slices"
)

type schema = map[string]any

// WholeKey is the key of a whole Chaos Mesh object in an experiment.
const WholeKey = "chaosMesh"

// ServiceKey is the key of a short form that names the service, or services, that
// the fault is on.
const ServiceKey = "service"

// Schema is the JSON Schema, with the annotations of [document.Schema], of what
// stands behind a step's key fault. It refers to the definitions
// parameter and services.
func Schema() map[string]any {
	forms, oneOf := schema{}, []any{}
	for _, kind := range kinds {
		forms[kind.Key] = kind.schema()
		oneOf = append(oneOf, schema{"required": []string{kind.Key}})
	}
	forms[WholeKey] = schema{
		"type": "object", "required": []string{"apiVersion", "kind", "spec"},
		"properties": schema{
			"apiVersion": schema{"const": GroupVersion, "x-missing": "write apiVersion: " + GroupVersion},
			"kind":       schema{"enum": kindNames(), "x-missing": "write kind: " + either(kindNames())},
			"metadata":   schema{"type": "object", "properties": schema{"name": unnamed, "generateName": unnamed}},
			"spec":       schema{"type": "object", "x-missing": "write spec: as in the reference of Chaos Mesh"},
		},
		"description": "a whole object, as Chaos Mesh's reference has it, without a name",
	}
	return schema{
		"type": "object", "additionalProperties": false, "properties": forms,
		"oneOf": append(oneOf, schema{"required": []string{WholeKey}}), "x-message": "names no fault",
	}
}

var unnamed = schema{"not": schema{}, "x-message": "is there", "x-remedy": "leave the name out: it is made of the run's and the step's"}

// schema is the schema of the kind's short form. What is wrong between an
// action and the other keys, [Kind.Read] finds.
func (k Kind) schema() schema {
	properties, required := schema{}, []string{}
	for _, field := range slices.Concat(common, k.Fields) {
		switch {
		case field.Key == "", field.Key == "action" && len(k.Actions) == 1, field.Key == ServiceKey && k.Between, field.Key == "between" && !k.Between:
			continue
		case field.Key == "action":
			field.Schema, field.Example = schema{"enum": k.Actions}, either(k.Actions)
		case len(field.Actions) > 0 && len(k.actionsOf(field.Key)) < len(k.Actions):
			field.Summary += "; of the action " + either(field.Actions)
		}
		forms := []any{field.Schema, schema{"$ref": "#/definitions/parameter"}}
		if field.Key == ServiceKey {
			forms = append(forms, schema{"$ref": "#/definitions/services"})
		}
		properties[field.Key] = schema{
			"anyOf":       forms,
			"description": field.Summary, "x-missing": fmt.Sprintf("write %s: %v", field.Key, field.Example),
		}
		if field.Required && len(field.Actions) == 0 {
			required = append(required, field.Key)
		}
	}
	return schema{"type": "object", "additionalProperties": false, "description": k.Summary, "properties": properties, "required": required}
}
