package document

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// checking is one check of one value.
type checking struct {
	schema   *Schema
	file     *File
	field    string
	value    any
	unknown  map[string][]string // keys, by the field of their mapping
	reported map[string]bool     // the fields whose value has a problem: one each is enough
}

// report turns an error of the validator, and its causes, into problems.
func (c *checking) report(e *jsonschema.ValidationError) {
	rules := c.schema.rules(e)
	field, value := c.at(e.InstanceLocation)
	properties, _ := rules["properties"].(map[string]any)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		if form := closestForm(e); rules["x-what"] == nil {
			c.report(form)
		} else {
			c.wrong(field, value, rules, form.ErrorKind)
		}
	case *kind.OneOf:
		c.oneOf(field, rules)
	case *kind.Required:
		for _, key := range k.Missing {
			if slices.ContainsFunc(c.unknown[field], func(other string) bool { return nearest(other, []string{key}) != "" }) {
				continue // the misspelt key is reported
			}
			c.file.add(c.file.near(field).Value, Join(field, key), "is missing", annotation(properties[key], "x-missing", "write "+key+": with its value"))
		}
	case *kind.Dependency:
		for _, key := range k.Missing {
			c.file.Wrong(Join(field, k.Prop), "stands without "+key, annotation(properties[key], "x-missing", "write "+key+" beside it"))
		}
	case *kind.AdditionalProperties:
		for _, key := range k.Properties {
			message := fmt.Sprintf("the %s %q is not known", annotation(rules, "x-key", "key"), shorten(key))
			c.file.Add(Problem{Field: Join(field, key), Message: message, Remedy: Instead(key, slices.Collect(maps.Keys(properties)))})
		}
	case *kind.PropertyNames:
		if names := rules["propertyNames"]; len(e.Causes) == 0 && !strings.Contains(k.Property, "${") {
			message := fmt.Sprintf("%q is not %s", shorten(k.Property), annotation(names, "x-what", "a key that can stand here"))
			c.file.Add(Problem{Field: Join(field, k.Property), Message: message, Remedy: annotation(names, "x-remedy", "write another key")})
		}
	default:
		if len(e.Causes) == 0 {
			c.wrong(field, value, rules, k)
		}
		for _, cause := range e.Causes {
			c.report(cause)
		}
	}
}

// unknownKeys collects the keys that are not known.
func (c *checking) unknownKeys(e *jsonschema.ValidationError) {
	if k, is := e.ErrorKind.(*kind.AdditionalProperties); is {
		field, _ := c.at(e.InstanceLocation)
		c.unknown[field] = k.Properties
	}
	for _, cause := range e.Causes {
		c.unknownKeys(cause)
	}
}

// closestForm picks, of the forms that a value could have and has not, the one
// to report: the first of the value's type, else the first.
func closestForm(e *jsonschema.ValidationError) *jsonschema.ValidationError {
	var first *jsonschema.ValidationError
	for _, form := range e.Causes {
		for len(form.Causes) == 1 && len(form.Causes[0].InstanceLocation) == len(e.InstanceLocation) {
			form = form.Causes[0]
		}
		_, mistyped := form.ErrorKind.(*kind.Type)
		switch {
		case strings.HasSuffix(form.SchemaURL, "/definitions/parameter"):
		case !mistyped:
			return form
		case first == nil:
			first = form
		}
	}
	return first
}

// oneOf reports a mapping that must have exactly one of several keys.
func (c *checking) oneOf(field string, rules map[string]any) {
	forms, _ := rules["oneOf"].([]any)
	all := make([]string, len(forms))
	for i := range forms {
		all[i], _ = lookup(forms[i], "required", "0").(string)
	}
	found := slices.DeleteFunc(c.file.Keys(field), func(key string) bool { return !slices.Contains(all, key) })
	remedy := annotation(rules, "x-remedy", "write exactly one of "+strings.Join(all, ", "))
	if len(found) > 1 {
		c.file.Wrong(Join(field, found[len(found)-1]), "stands beside "+found[0], remedy)
	} else if len(c.unknown[field]) == 0 {
		c.file.Wrong(field, annotation(rules, "x-message", "has none of "+strings.Join(all, ", ")), remedy)
	}
}

// wrong reports a value that is not what the rules want.
func (c *checking) wrong(field string, value any, rules map[string]any, k jsonschema.ErrorKind) {
	if c.reported[field] {
		return
	}
	c.reported[field] = true
	what := annotation(rules, "x-what", "known")
	message, remedy := quoted(value, rules["writeOnly"] == true)+"is not "+what, "write "+what
	switch k := k.(type) {
	case *kind.Type:
		message, remedy = mistyped(value, k, rules)
		c.file.Wrong(field, message, annotation(rules, "x-remedy", remedy))
		return
	case *kind.Format:
		message = k.Err.Error()
	case *kind.Enum:
		remedy = instead(value, k.Want)
	case *kind.Const:
		remedy = instead(value, []any{k.Want})
	case *kind.Minimum, *kind.Maximum:
		message = fmt.Sprintf("%v is out of range", value)
		remedy = fmt.Sprintf("write a whole number from %v to %v", rules["minimum"], rules["maximum"])
	case *kind.MinProperties, *kind.MinItems:
		message = "is empty"
	case *kind.UniqueItems:
		c.file.Wrong(fmt.Sprintf("%s[%d]", field, max(k.Duplicates[0], k.Duplicates[1])), "is there twice", "keep one of them")
		return
	}
	c.file.Wrong(field, annotation(rules, "x-message", message), annotation(rules, "x-remedy", remedy))
}

// quoted begins a message with a single value, unless it can be a secret.
func quoted(value any, secret bool) string {
	switch text, isText := value.(string); {
	case secret:
		return ""
	case isText:
		return fmt.Sprintf("%q ", shorten(text))
	}
	switch value.(type) {
	case bool, int64, float64:
		return fmt.Sprintf("%v ", value)
	}
	return ""
}

// mistyped words a value of the wrong type without showing it: it may be a
// secret that stands where a reference to it should.
func mistyped(value any, k *kind.Type, rules map[string]any) (message, remedy string) {
	want, remedy := types[k.Want[0]].noun, types[k.Want[0]].remedy
	message = fmt.Sprintf("is %s, not %s", types[k.Got].noun, annotation(rules, "x-what", want))
	if number := annotation(rules, "x-number", ""); k.Got == "number" && number != "" {
		message = quoted(value, rules["writeOnly"] == true) + number
	}
	switch _, isText := value.(string); {
	case k.Want[0] == "string" && (k.Got == "number" || k.Got == "boolean"):
		remedy = "put it in quotes"
	case isText && k.Want[0] == "array":
		remedy = "put it in brackets: [ ]"
	}
	return message, remedy
}

var types = map[string]struct{ noun, remedy string }{
	"object":  {"a mapping", "write keys with values, such as {key: value}"},
	"array":   {"a list", "write a list such as [a, b]"},
	"string":  {"text", "write a text"},
	"integer": {"a whole number", "write a whole number"},
	"number":  {"a number", "write a number"},
	"boolean": {"true or false", "write true or false"},
	"null":    {"empty", "write nothing"},
}

// instead is the remedy for a value that is none of a few.
func instead(value any, known []any) string {
	words := make([]string, len(known))
	for i, word := range known {
		words[i] = fmt.Sprint(word)
	}
	return Instead(fmt.Sprint(value), words)
}

// at resolves a location of the validator's to a field and its value.
func (c *checking) at(location []string) (field string, value any) {
	field, value = c.field, c.value
	for _, key := range location {
		if _, isList := value.([]any); isList {
			field += "[" + key + "]"
		} else {
			field = Join(field, key)
		}
		value = lookup(value, key)
	}
	return field, value
}
