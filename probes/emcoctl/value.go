package emcoctl

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"gopkg.in/yaml.v3"
)

// The limits of what is read.
const (
	maxBytes     = 1 << 20 // of a file, and of a rendered text
	maxDepth     = 64
	maxNodes     = 200_000 // of a text, aliases followed
	maxDocuments = 10_000
)

// value is one value of a YAML document.
type value struct {
	source *source
	node   *yaml.Node
	field  string
}

func (v value) problem(message, remedy string) {
	v.source.add(max(v.node.Line, 1), max(v.node.Column, 1), v.field, message, remedy)
}

// entry is one key of a mapping and its value.
type entry struct {
	key   string
	value value
}

func (v value) empty() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// mapping reads a mapping from texts. A key that stands there twice is a
// problem.
func (v value) mapping(remedy string) ([]entry, bool) {
	if v.node.Kind != yaml.MappingNode {
		v.problem("is no mapping", remedy)
		return nil, false
	}
	var entries []entry
	seen := map[string]bool{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, node := v.node.Content[i], v.node.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			value{v.source, key, v.field}.problem("has a key that is no text", "write a text as key")
			return nil, false
		}
		if seen[key.Value] {
			value{v.source, key, v.below(key.Value)}.problem("stands here twice", "keep one")
			return nil, false
		}
		seen[key.Value] = true
		entries = append(entries, entry{key.Value, value{v.source, node, v.below(key.Value)}})
	}
	return entries, true
}

var plainKey = regexp.MustCompile(`^[-A-Za-z0-9_]{1,64}$`)

func (v value) below(key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.Quote(emco.Shown(key))
	}
	if v.field == "" {
		return key
	}
	return v.field + "." + key
}

// text reads a single value as it is written: emcoctl takes a number or a
// date for a text, too. Empty is "".
func (v value) text(remedy string) (string, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.problem("is no single value", remedy)
		return "", false
	}
	if v.empty() {
		return "", true
	}
	return v.node.Value, true
}

// need reads a text that must not be empty.
func (v value) need(remedy string) (string, bool) {
	text, ok := v.text(remedy)
	if ok && strings.TrimSpace(text) == "" {
		v.problem("is empty", remedy)
		return "", false
	}
	return text, ok
}

// number reads a whole number.
func (v value) number(low, high int, remedy string) (int, bool) {
	text, ok := v.text(remedy)
	if !ok {
		return 0, false
	}
	number, err := strconv.Atoi(text)
	if err != nil || number < low || number > high {
		v.problem(fmt.Sprintf("%q is no number from %d to %d", emco.Shown(text), low, high), remedy)
		return 0, false
	}
	return number, true
}

// any turns the value into what JSON can hold. What a date or a large number
// looks like stays as it is written.
func (v value) any() (any, bool) {
	switch v.node.Kind {
	case yaml.MappingNode:
		entries, ok := v.mapping("")
		if !ok {
			return nil, false
		}
		fields := map[string]any{}
		for _, e := range entries {
			if fields[e.key], ok = e.value.any(); !ok {
				return nil, false
			}
		}
		return fields, true
	case yaml.SequenceNode:
		list := []any{}
		for i, node := range v.node.Content {
			one, ok := value{v.source, node, fmt.Sprintf("%s[%d]", v.field, i)}.any()
			if !ok {
				return nil, false
			}
			list = append(list, one)
		}
		return list, true
	case yaml.ScalarNode:
		return v.scalar()
	}
	v.problem("cannot be read", "write a mapping, a list or a single value")
	return nil, false
}

func (v value) scalar() (any, bool) {
	switch v.node.Tag {
	case "!!null":
		return nil, true
	case "!!bool", "!!int", "!!float":
		var decoded any
		if err := v.node.Decode(&decoded); err != nil {
			v.problem("cannot be read: "+emco.Shown(err.Error()), "put it in quotes if it is a text")
			return nil, false
		}
		switch number := decoded.(type) {
		case float64:
			// Neither infinity nor NaN is JSON.
			if number-number != 0 {
				v.problem("is no number that EMCO could read", "put it in quotes if it is a text")
				return nil, false
			}
		}
		return decoded, true
	case "!!str", "!!timestamp":
		return v.node.Value, true
	}
	v.problem(fmt.Sprintf("has the tag %s", emco.Shown(v.node.Tag)), "leave the tag out")
	return nil, false
}

// resolve replaces aliases by what they stand for, in place, and keeps the
// whole within its limits: a small text can stand for a very large one.
func (s *source) resolve(root *yaml.Node) bool {
	budget := maxNodes
	var walk func(node *yaml.Node, depth int) (*yaml.Node, bool)
	walk = func(node *yaml.Node, depth int) (*yaml.Node, bool) {
		budget--
		at := value{s, node, ""}
		switch {
		case budget < 0:
			at.problem(fmt.Sprintf("the text holds more than %d values", maxNodes), "split it, or use fewer aliases")
			return nil, false
		case depth > maxDepth:
			at.problem(fmt.Sprintf("is nested more than %d deep", maxDepth), "flatten it")
			return nil, false
		}
		if node.Kind == yaml.AliasNode {
			if node.Alias == nil {
				at.problem("is an alias of nothing", "write the value itself")
				return nil, false
			}
			return walk(node.Alias, depth+1)
		}
		copied := *node
		copied.Content = make([]*yaml.Node, 0, len(node.Content))
		for _, below := range node.Content {
			inner, ok := walk(below, depth+1)
			if !ok {
				return nil, false
			}
			copied.Content = append(copied.Content, inner)
		}
		return &copied, true
	}
	resolved, ok := walk(root, 0)
	if ok {
		*root = *resolved
	}
	return ok
}

// list reads a list.
func (v value) list(remedy string) ([]value, bool) {
	if v.node.Kind != yaml.SequenceNode {
		v.problem("is no list", remedy)
		return nil, false
	}
	var list []value
	for i, node := range v.node.Content {
		list = append(list, value{v.source, node, fmt.Sprintf("%s[%d]", v.field, i)})
	}
	return list, true
}
