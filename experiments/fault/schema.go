package fault

import "fmt"

// schema is a JSON Schema, or a part of one.
type schema = map[string]any

// WholeKey is the key of a whole Chaos Mesh object in an experiment.
const WholeKey = "chaosMesh"

// Schema is the JSON Schema, with the annotations of [document.Schema], of what
// stands behind a step's key fault. It refers to the definition parameter.
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
// action and the other keys, [Kind.Expand] and [Check] find.
func (k Kind) schema() schema {
	properties, required := schema{}, []string{}
	add := func(key string, value schema, summary string, example any, needed bool) {
		properties[key] = schema{
			"anyOf":       []any{value, schema{"$ref": "#/definitions/parameter"}},
			"description": summary, "x-missing": fmt.Sprintf("write %s: %v", key, example),
		}
		if needed {
			required = append(required, key)
		}
	}
	if len(k.Actions) > 1 {
		add("action", choice(k.Actions...).schema, "what the fault does", either(k.Actions), true)
	}
	service := schema{"type": "string"}
	if k.Between {
		add("between", schema{
			"type": "array", "minItems": 2, "maxItems": 2, "items": service,
			"x-message": "does not name two services", "x-remedy": "name two, such as [orchestrator, etcd]",
		}, "the two services that the fault lies between; the first has pods", "[SERVICE, SERVICE]", true)
	} else {
		add("service", service, "the service that the fault is on, which has pods", "with one of the target's services", true)
	}
	add("duration", duration.schema, "how long until Chaos Mesh itself ends the fault", "90s", false)
	for _, field := range k.Fields {
		if field.Key != "" {
			add(field.Key, field.Type.schema, field.Summary, field.Example, field.Required && len(field.Actions) == 0)
		}
	}
	return schema{"type": "object", "additionalProperties": false, "properties": properties, "required": required}
}
