package document

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

// Value is one value of a file. Its readers report a value of the wrong type
// and return false.
type Value struct {
	file  *File
	node  *yaml.Node
	field string
}

// Field is the path to the value, such as spec.steps.kill.after[0].
func (v Value) Field() string { return v.field }

// Problem reports a problem with the value. A text whose parameters have no
// values has been reported already.
func (v Value) Problem(message, remedy string) {
	if v.node.Tag == unfilled {
		return
	}
	v.file.add(at(v.node), v.field, message, remedy)
}

// IsMap says whether the value is a mapping.
func (v Value) IsMap() bool { return v.node.Kind == yaml.MappingNode }

// IsList says whether the value is a list.
func (v Value) IsList() bool { return v.node.Kind == yaml.SequenceNode }

// IsEmpty says whether nothing is written where the value should be.
func (v Value) IsEmpty() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// what says what the value is, without showing it: it may be a secret that
// stands where a reference to it should.
func (v Value) what() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch v.node.Tag {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}

func (v Value) wrong(wanted, remedy string) {
	v.Problem(fmt.Sprintf("is %s, not %s", v.what(), wanted), remedy)
}

// Text reads a text that is not empty.
func (v Value) Text() (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!str" {
		remedy := "write a text"
		if v.node.Kind == yaml.ScalarNode && !v.IsEmpty() {
			remedy = "put it in quotes"
		}
		v.wrong("text", remedy)
		return "", false
	}
	if strings.TrimSpace(v.node.Value) == "" {
		v.Problem("is empty", "write a text, or leave the key out")
		return "", false
	}
	return v.node.Value, true
}

// Scalar reads any single value as it is written, whatever its type.
func (v Value) Scalar() (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.IsEmpty() || v.node.Tag == unfilled {
		v.wrong("a single value", "write a text, a number, true or false")
		return "", false
	}
	return v.node.Value, true
}

// Choice reads one of the texts.
func (v Value) Choice(allowed ...string) (string, bool) {
	text, ok := v.Text()
	if !ok {
		return "", false
	}
	if !slices.Contains(allowed, text) {
		v.Problem(fmt.Sprintf("%q is not known", shorten(text)), Instead(text, allowed))
		return "", false
	}
	return text, true
}

// Integer reads a whole number from low to high.
func (v Value) Integer(low, high int) (int, bool) {
	remedy := "write a whole number"
	if low > math.MinInt32 {
		remedy = fmt.Sprintf("write a whole number from %d to %d", low, high)
	}
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!int" {
		v.wrong("a whole number", remedy)
		return 0, false
	}
	number, err := strconv.ParseInt(v.node.Value, 0, 64)
	if err != nil || number < int64(low) || number > int64(high) {
		v.Problem(fmt.Sprintf("%s is out of range", shorten(v.node.Value)), remedy)
		return 0, false
	}
	return int(number), true
}

// Boolean reads true or false.
func (v Value) Boolean() (bool, bool) {
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!bool" {
		v.wrong("true or false", "write true or false")
		return false, false
	}
	return strings.EqualFold(v.node.Value, "true"), true
}

const durationRemedy = "write a duration such as 500ms, 90s or 1m30s"

// Duration reads a duration that is not negative.
func (v Value) Duration() (time.Duration, bool) {
	if v.node.Kind == yaml.ScalarNode && (v.node.Tag == "!!int" || v.node.Tag == "!!float") {
		v.Problem(fmt.Sprintf("%s has no unit", shorten(v.node.Value)), durationRemedy)
		return 0, false
	}
	if v.node.Kind != yaml.ScalarNode || v.node.Tag != "!!str" {
		v.wrong("a duration", durationRemedy)
		return 0, false
	}
	duration, err := time.ParseDuration(v.node.Value)
	switch {
	case err != nil:
		v.Problem(fmt.Sprintf("%q is not a duration", shorten(v.node.Value)), durationRemedy)
		return 0, false
	case duration < 0:
		v.Problem(fmt.Sprintf("%s is negative", shorten(v.node.Value)), durationRemedy)
		return 0, false
	}
	return duration, true
}

// List reads a list; it may have no entry.
func (v Value) List() ([]Value, bool) {
	if v.node.Kind != yaml.SequenceNode {
		remedy := "write a list such as [a, b]"
		if v.node.Kind == yaml.ScalarNode && !v.IsEmpty() && v.node.Tag == "!!str" {
			remedy = "put it in brackets: [ ]"
		}
		v.wrong("a list", remedy)
		return nil, false
	}
	values := make([]Value, len(v.node.Content))
	for i, node := range v.node.Content {
		values[i] = Value{file: v.file, field: fmt.Sprintf("%s[%d]", v.field, i), node: node}
	}
	return values, true
}

// Any reads whatever is there, in the types that JSON has: map[string]any,
// []any, string, bool, int64, float64 and nil.
func (v Value) Any() (any, bool) {
	switch v.node.Kind {
	case yaml.MappingNode:
		fields, ok := v.Map()
		if !ok {
			return nil, false
		}
		result := map[string]any{}
		for _, entry := range fields.Entries() {
			value, read := entry.Value.Any()
			result[entry.Key], ok = value, ok && read
		}
		return result, ok
	case yaml.SequenceNode:
		values, ok := v.List()
		result := make([]any, len(values))
		for i, value := range values {
			read := false
			result[i], read = value.Any()
			ok = ok && read
		}
		return result, ok
	}
	switch v.node.Tag {
	case unfilled:
		return nil, false
	case "!!null":
		return nil, true
	case "!!bool":
		return v.Boolean()
	case "!!int":
		number, err := strconv.ParseInt(v.node.Value, 0, 64)
		if err != nil {
			v.Problem(fmt.Sprintf("%s is too large", shorten(v.node.Value)), "put it in quotes")
			return nil, false
		}
		return number, true
	case "!!float":
		number, err := strconv.ParseFloat(strings.ReplaceAll(v.node.Value, "_", ""), 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			v.Problem(fmt.Sprintf("%s is not a number that can be used", shorten(v.node.Value)), "put it in quotes")
			return nil, false
		}
		return number, true
	}
	return v.node.Value, true
}

// JSON reads whatever is there as JSON.
func (v Value) JSON() (json.RawMessage, bool) {
	value, ok := v.Any()
	if !ok {
		return nil, false
	}
	data, err := json.Marshal(value)
	if err != nil {
		v.Problem("cannot be written as JSON: "+err.Error(), "use plain values")
		return nil, false
	}
	return data, true
}

// Map is a mapping that is being read, key by key.
type Map struct {
	value   Value
	entries []Entry
	known   []string
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key   string
	Value Value
}

// Map reads a mapping. A key that is no text, or is there twice, is a problem.
func (v Value) Map() (*Map, bool) {
	if v.node.Kind != yaml.MappingNode {
		v.wrong("a mapping", "write keys with values, such as {key: value}")
		return nil, false
	}
	fields := &Map{value: v}
	lines := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			v.file.add(at(key), v.field, "a key here is not text", "write a text, in quotes if need be")
			continue
		}
		field := Join(v.field, key.Value)
		if line, twice := lines[key.Value]; twice {
			v.file.add(at(key), field, fmt.Sprintf("is there twice, first in line %d", line), "keep one of them")
			continue
		}
		lines[key.Value] = key.Line
		// A problem with an empty value is looked for where its key stands.
		if node.Line == 0 {
			node.Line, node.Column = key.Line, key.Column
		}
		fields.entries = append(fields.entries, Entry{Key: key.Value, Value: Value{file: v.file, field: field, node: node}})
	}
	return fields, true
}

// Entries are all keys in the order of the file.
func (m *Map) Entries() []Entry { return m.entries }

// Value is the mapping itself.
func (m *Map) Value() Value { return m.value }

// Get returns the key's value when it is there. Asking for a key makes it
// known.
func (m *Map) Get(key string) (Value, bool) {
	m.known = append(m.known, key)
	for _, entry := range m.entries {
		if entry.Key == key {
			return entry.Value, true
		}
	}
	return Value{}, false
}

// Need returns the key's value and reports when it is not there.
func (m *Map) Need(key, remedy string) (Value, bool) {
	value, found := m.Get(key)
	if !found {
		m.value.file.add(at(m.value.node), Join(m.value.field, key), "is missing", remedy)
	}
	return value, found
}

// End reports every key that nobody asked for.
func (m *Map) End() {
	for _, entry := range m.entries {
		if !slices.Contains(m.known, entry.Key) {
			m.value.file.Add(Problem{
				Field:   entry.Value.field,
				Message: fmt.Sprintf("the key %q is not known", shorten(entry.Key)),
				Remedy:  Instead(entry.Key, m.known),
			})
		}
	}
}
