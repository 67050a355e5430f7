package document

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Schema is a JSON Schema that files are checked against. Annotations beside
// its keywords hold the words of a problem; editors ignore them:
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
// The definition "parameter" is a text with ${NAME} in it. It never words a
// problem: the other form of the value does.
type Schema struct {
	compiled *jsonschema.Schema
	root     any
}

const schemaURL = "emco-chaos:schema"

func ReadSchema(data []byte) (*Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.RegisterFormat(&jsonschema.Format{Name: "go-duration", Validate: duration})
	compiler.AssertFormat()
	compiler.RegisterVocabulary(&jsonschema.Vocabulary{URL: schemaURL + "-keys", Compile: compileKeys})
	compiler.AssertVocabs()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err == nil {
		err = compiler.AddResource(schemaURL, root)
	}
	var compiled *jsonschema.Schema
	if err == nil {
		compiled, err = compiler.Compile(schemaURL)
	}
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
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

// keyRules checks the keyword propertyNames a second time: the location in the
// validator's own error shares memory with later ones, and is overwritten.
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
	switch duration, err := time.ParseDuration(text); {
	case !isText:
	case err != nil:
		return fmt.Errorf("%q is not a duration", shorten(text))
	case duration < 0:
		return fmt.Errorf("%s is negative", shorten(text))
	}
	return nil
}

// Check adds to the file a problem for each thing in the field's value that the
// schema does not allow. A text whose parameter has no value was reported.
func (s *Schema) Check(file *File, field string) {
	value, found := file.Value(field)
	if !found {
		return
	}
	var invalid *jsonschema.ValidationError
	if err := s.compiled.Validate(value); errors.As(err, &invalid) {
		check := checking{schema: s, file: file, field: field, value: value, unknown: map[string][]string{}, reported: map[string]bool{}}
		check.unknownKeys(invalid)
		check.report(invalid)
	} else if err != nil {
		file.Wrong(field, "cannot be checked: "+err.Error(), "write plain values")
	}
}

// rules is the part of the schema that the error is about.
func (s *Schema) rules(e *jsonschema.ValidationError) map[string]any {
	_, pointer, _ := strings.Cut(e.SchemaURL, "#")
	pointer, _ = url.PathUnescape(pointer)
	keys := strings.Split(pointer, "/")[1:]
	for i, key := range keys {
		keys[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
	}
	rules, _ := lookup(s.root, keys...).(map[string]any)
	return rules
}

// lookup follows the keys and indexes; nil when they lead nowhere.
func lookup(value any, keys ...string) any {
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

func annotation(rules any, key, other string) string {
	if text, said := lookup(rules, key).(string); said {
		return text
	}
	return other
}
