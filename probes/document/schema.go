package document

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is a JSON Schema that files are checked against. Annotations beside
// its keywords say how a mistake is told; editors pass over them:
//
//	x-what     what the value is, such as "a duration"
//	x-message  the whole message, in place of one made from the keyword
//	x-number   what is wrong with a number, such as "has no unit"
//	x-remedy   the remedy when the value is wrong
//	x-missing  the remedy when the key is missing
//	x-key      what a key of the mapping is, when it is not just a key
//	writeOnly  the value can be a secret: no message shows it
//
// The format go-duration is what [time.ParseDuration] reads, if not negative.
// The definition "parameter" is a text with ${NAME} in it: no mistake is told
// by it, since the other form of the value was meant.
type Schema struct {
	compiled *jsonschema.Schema
	root     any
}

const schemaURL = "emco-chaos:schema"

// ReadSchema reads a JSON Schema.
func ReadSchema(data []byte) (*Schema, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.RegisterFormat(&jsonschema.Format{Name: "go-duration", Validate: duration})
	compiler.AssertFormat()
	compiler.RegisterVocabulary(&jsonschema.Vocabulary{URL: schemaURL + "-keys", Compile: compileKeys})
	compiler.AssertVocabs()
	if err := compiler.AddResource(schemaURL, root); err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("compile the schema: %w", err)
	}
	return &Schema{compiled: compiled, root: root}, nil
}

// Embedded reads a schema that is part of the program when it is first needed.
func Embedded(data []byte) func() *Schema {
	return sync.OnceValue(func() *Schema {
		schema, err := ReadSchema(data)
		if err != nil {
			panic(err)
		}
		return schema
	})
}

// keyRules checks the keyword propertyNames once more. The validator's own
// error tells a wrong place: its location is overwritten by later ones.
type keyRules struct{ rules *jsonschema.Schema }

func compileKeys(ctx *jsonschema.CompilerContext, schema map[string]any) (jsonschema.SchemaExt, error) {
	if schema["propertyNames"] == nil {
		return nil, nil
	}
	return keyRules{rules: ctx.Enqueue([]string{"propertyNames"})}, nil
}

func (k keyRules) Validate(ctx *jsonschema.ValidatorContext, value any) {
	fields, _ := value.(map[string]any)
	for key := range fields {
		if k.rules.Validate(key) != nil {
			ctx.AddError(&kind.PropertyNames{Property: key})
		}
	}
}

func duration(value any) error {
	text, isText := value.(string)
	if !isText {
		return nil
	}
	switch duration, err := time.ParseDuration(text); {
	case err != nil:
		return fmt.Errorf("%q is not a duration", shorten(text))
	case duration < 0:
		return fmt.Errorf("%s is negative", shorten(text))
	}
	return nil
}

// Check adds a problem for whatever in the value at the field the schema does
// not allow. It adds none where a parameter has no value, which is told
// already.
func (s *Schema) Check(file *File, field string) {
	value, found := file.Value(field)
	if !found {
		return
	}
	var invalid *jsonschema.ValidationError
	if err := s.compiled.Validate(value); errors.As(err, &invalid) {
		check := checking{schema: s, file: file, field: field, value: value, unknown: map[string][]string{}, told: map[string]bool{}}
		check.unknownKeys(invalid)
		check.tell(invalid)
	} else if err != nil {
		file.Wrong(field, "cannot be checked: "+err.Error(), "write plain values")
	}
}

// checking is one check of one value.
type checking struct {
	schema *Schema
	file   *File
	field  string
	value  any
	// unknown are the keys that are not known, by the field of their mapping.
	unknown map[string][]string
	// told are the values that a problem was told of: one each is enough.
	told map[string]bool
}

// tell makes problems of an error of the validator and of what it is made of.
func (c *checking) tell(e *jsonschema.ValidationError) {
	rules := c.schema.rules(e)
	field, value := c.at(e.InstanceLocation)
	properties, _ := rules["properties"].(map[string]any)
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		if form := meant(e); rules["x-what"] == nil {
			c.tell(form)
		} else {
			c.wrong(field, value, rules, form.ErrorKind)
		}
	case *kind.OneOf:
		c.oneOf(field, rules)
	case *kind.Required:
		for _, key := range k.Missing {
			if slices.ContainsFunc(c.unknown[field], func(other string) bool { return nearest(other, []string{key}) != "" }) {
				continue // it is misspelt, and told of as such
			}
			c.file.add(c.file.near(field).Value, Join(field, key), "is missing", word(properties[key], "x-missing", "write "+key+": with its value"))
		}
	case *kind.Dependency:
		for _, key := range k.Missing {
			c.file.Wrong(Join(field, k.Prop), "stands without "+key, word(properties[key], "x-missing", "write "+key+" beside it"))
		}
	case *kind.AdditionalProperties:
		for _, key := range k.Properties {
			message := fmt.Sprintf("the %s %q is not known", word(rules, "x-key", "key"), shorten(key))
			c.file.Add(Problem{Field: Join(field, key), Message: message, Remedy: Instead(key, slices.Collect(maps.Keys(properties)))})
		}
	case *kind.PropertyNames:
		if names := rules["propertyNames"]; len(e.Causes) == 0 && !strings.Contains(k.Property, "${") {
			message := fmt.Sprintf("%q is not %s", shorten(k.Property), word(names, "x-what", "a key that can stand here"))
			c.file.Add(Problem{Field: Join(field, k.Property), Message: message, Remedy: word(names, "x-remedy", "write another key")})
		}
	default:
		if len(e.Causes) == 0 {
			c.wrong(field, value, rules, k)
		}
		for _, cause := range e.Causes {
			c.tell(cause)
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

// meant is the form that was meant by a value that has none of those that are
// allowed: the first one of its type, else the first one.
func meant(e *jsonschema.ValidationError) *jsonschema.ValidationError {
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

// oneOf tells of a mapping that must have exactly one of several keys.
func (c *checking) oneOf(field string, rules map[string]any) {
	forms, _ := rules["oneOf"].([]any)
	all := make([]string, len(forms))
	for i := range forms {
		all[i], _ = pointed(forms[i], "required", "0").(string)
	}
	found := slices.DeleteFunc(c.file.Keys(field), func(key string) bool { return !slices.Contains(all, key) })
	remedy := word(rules, "x-remedy", "write exactly one of "+strings.Join(all, ", "))
	if len(found) > 1 {
		c.file.Wrong(Join(field, found[len(found)-1]), "stands beside "+found[0], remedy)
	} else if len(c.unknown[field]) == 0 {
		c.file.Wrong(field, word(rules, "x-message", "has none of "+strings.Join(all, ", ")), remedy)
	}
}

// wrong tells that a value is not what the rules want.
func (c *checking) wrong(field string, value any, rules map[string]any, k jsonschema.ErrorKind) {
	if c.told[field] {
		return
	}
	c.told[field] = true
	what := word(rules, "x-what", "known")
	message, remedy := shown(value, rules["writeOnly"] == true)+"is not "+what, "write "+what
	switch k := k.(type) {
	case *kind.Type:
		message, remedy = mistyped(value, k, rules)
		c.file.Wrong(field, message, word(rules, "x-remedy", remedy))
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
	}
	c.file.Wrong(field, word(rules, "x-message", message), word(rules, "x-remedy", remedy))
}

// shown is how a message begins that shows the value. What can be a secret,
// and what is long, is not shown.
func shown(value any, secret bool) string {
	switch value := value.(type) {
	case string:
		if !secret {
			return fmt.Sprintf("%q ", shorten(value))
		}
	case bool, int64, float64:
		if !secret {
			return fmt.Sprintf("%v ", value)
		}
	}
	return ""
}

// mistyped says what the value is, without showing it: it may be a secret
// that stands where a reference to it should.
func mistyped(value any, k *kind.Type, rules map[string]any) (message, remedy string) {
	want, remedy := types[k.Want[0]].noun, types[k.Want[0]].remedy
	message = fmt.Sprintf("is %s, not %s", types[k.Got].noun, word(rules, "x-what", want))
	if number := word(rules, "x-number", ""); k.Got == "number" && number != "" {
		message = shown(value, rules["writeOnly"] == true) + number
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

// at is the field and the value at a place that the validator names.
func (c *checking) at(location []string) (field string, value any) {
	field, value = c.field, c.value
	for _, key := range location {
		if _, isList := value.([]any); isList {
			field += "[" + key + "]"
		} else {
			field = Join(field, key)
		}
		value = pointed(value, key)
	}
	return field, value
}

// rules are the part of the schema that the error is of.
func (s *Schema) rules(e *jsonschema.ValidationError) map[string]any {
	_, pointer, _ := strings.Cut(e.SchemaURL, "#")
	var keys []string
	for key := range strings.SplitSeq(strings.TrimPrefix(pointer, "/"), "/") {
		if plain, err := url.PathUnescape(key); err == nil && pointer != "" {
			keys = append(keys, strings.NewReplacer("~1", "/", "~0", "~").Replace(plain))
		}
	}
	rules, _ := pointed(s.root, keys...).(map[string]any)
	return rules
}

// pointed is what the keys lead to; nil when there is nothing.
func pointed(value any, keys ...string) any {
	for _, key := range keys {
		switch inner := value.(type) {
		case map[string]any:
			value = inner[key]
		case []any:
			if i, err := strconv.Atoi(key); err == nil && i < len(inner) {
				value = inner[i]
			}
		}
	}
	return value
}

// word is what the rules say under the key, else the other.
func word(rules any, key, other string) string {
	if text, said := pointed(rules, key).(string); said {
		return text
	}
	return other
}
