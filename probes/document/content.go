package document

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// entry is one value of a file, in JSON's types, with its place. A value in a
// list has no key; its own position counts for both.
type entry struct {
	Place
	content any
	written string // a single value as it is written
	unset   bool   // a text whose parameter has no value: reported, and not checked
}

// read converts YAML into JSON's types, with int64 or float64. A date is text.
func (f *File) read(field string, key, node *yaml.Node) any {
	node = aliased(node)
	// An empty value has no position of its own: its key's is taken.
	if node.Line == 0 {
		node.Line, node.Column = key.Line, key.Column
	}
	f.entries[field] = &entry{Place: Place{Key: at(key), Value: at(node)}, written: node.Value}
	content := f.content(field, node)
	f.entries[field].content = content
	return content
}

func aliased(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// Places maps fields to their places, for problems that are found elsewhere.
type Places map[string]Place

// Place holds the positions of a value and of its key.
type Place struct {
	Key   Position `json:"key"`
	Value Position `json:"value"`
}

// Position counts lines and columns from 1.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Places returns the places of the field and of those below it.
func (f *File) Places(field string) Places {
	places := Places{}
	for at, entry := range f.entries {
		if isBelow(at, field) {
			places[at] = entry.Place
		}
	}
	return places
}

// FromContent makes a file of a part that was read elsewhere: the content of one
// field. Without places its problems have the file's name alone.
func FromContent(name, field string, content any, places Places) *File {
	file := newFile(name)
	walk(field, content, func(field string, value any) any {
		file.entries[field] = &entry{content: value, Place: places[field]}
		return value
	})
	return file
}

// walk rebuilds the value at a field from its leaves up.
func walk(field string, value any, change func(field string, value any) any) any {
	switch content := value.(type) {
	case map[string]any:
		fields := make(map[string]any, len(content))
		for key, inner := range content {
			fields[key] = walk(Join(field, key), inner, change)
		}
		value = fields
	case []any:
		list := make([]any, len(content))
		for i, inner := range content {
			list[i] = walk(fmt.Sprintf("%s[%d]", field, i), inner, change)
		}
		value = list
	}
	return change(field, value)
}

func at(node *yaml.Node) Position { return Position{max(node.Line, 1), max(node.Column, 1)} }

func (f *File) content(field string, node *yaml.Node) any {
	switch node.Kind {
	case yaml.MappingNode:
		return f.mapping(field, node)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, child := range node.Content {
			list[i] = f.read(fmt.Sprintf("%s[%d]", field, i), child, child)
		}
		return list
	}
	switch node.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(node.Value, "true")
	case "!!int":
		number, err := strconv.ParseInt(node.Value, 0, 64)
		if larger, tooLarge := strconv.ParseUint(node.Value, 0, 64); err != nil && tooLarge == nil && f.lenient {
			return larger
		} else if err != nil {
			f.Wrong(field, shorten(node.Value)+" is too large", "put it in quotes")
			return nil
		}
		return number
	case "!!float":
		number, err := strconv.ParseFloat(strings.ReplaceAll(node.Value, "_", ""), 64)
		if err != nil || math.IsNaN(number) || math.IsInf(number, 0) {
			f.Wrong(field, shorten(node.Value)+" is not a number that can be used", "put it in quotes")
			return nil
		}
		return number
	}
	if f.lenient && node.Tag != "!!str" && node.Tag != "!!timestamp" {
		f.Wrong(field, "has the tag "+shorten(node.Tag), "leave the tag out")
	}
	return node.Value
}

func (f *File) mapping(field string, node *yaml.Node) map[string]any {
	fields := map[string]any{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := aliased(node.Content[i]), node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			f.add(at(key), field, "a key here is not text", "write a text, in quotes if need be")
			continue
		}
		below := Join(field, key.Value)
		if _, twice := fields[key.Value]; twice {
			f.add(at(key), below, fmt.Sprintf("is there twice, first in line %d", f.entries[below].Key.Line), "keep one of them")
			continue
		}
		fields[key.Value] = f.read(below, key, value)
	}
	return fields
}

var simpleKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Join returns the path of a key below a field.
func Join(field, key string) string {
	switch {
	case !simpleKey.MatchString(key) || len(key) > 100:
		return field + "[" + strconv.Quote(shorten(key)) + "]"
	case field == "":
		return key
	}
	return field + "." + key
}

// Value returns the value at the field, in JSON's types.
func (f *File) Value(field string) (any, bool) {
	found, here := f.entries[field]
	if !here {
		return nil, false
	}
	return found.content, true
}

// Text is the single value at the field as it is written; empty if there is none.
func (f *File) Text(field string) string {
	if found, here := f.entries[field]; here && found.content != nil {
		return found.written
	}
	return ""
}

// At is where the value at the field, or the nearest one around it, stands.
func (f *File) At(field string) Position { return f.near(field).Value }

// Keys returns the keys of the mapping at the field, in the order of the file.
func (f *File) Keys(field string) []string {
	value, _ := f.Value(field)
	fields, _ := value.(map[string]any)
	return slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		first, second := f.entries[Join(field, a)].Key, f.entries[Join(field, b)].Key
		return cmp.Or(cmp.Compare(first.Line, second.Line), cmp.Compare(first.Column, second.Column))
	})
}

// AsWritten makes each matching single value its text in the file: 1.10 is not 1.1.
func (f *File) AsWritten(fields *regexp.Regexp) {
	f.rewrite(func(field string, value any) any {
		if value != nil && fields.MatchString(field) {
			return f.entries[field].written
		}
		return value
	})
}

// rewrite replaces each single value.
func (f *File) rewrite(change func(field string, value any) any) {
	root, _ := f.Value("")
	walk("", root, func(field string, value any) any {
		switch value.(type) {
		case map[string]any, []any:
		default:
			value = change(field, value)
		}
		if entry := f.entries[field]; entry != nil {
			entry.content = value
		}
		return value
	})
}

// Decode reads the field into a Go value, as [json.Unmarshal] does. Values with
// a problem, and texts whose parameters have no value, are left out.
func (f *File) Decode(field string, into any) {
	value, _ := f.Value(field)
	sound := walk(field, value, func(field string, value any) any {
		if f.troubled[field] {
			return nil
		}
		return value
	})
	data, err := json.Marshal(sound)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		f.Wrong(field, "cannot be read: "+err.Error(), "write it as the documentation says")
	}
}
