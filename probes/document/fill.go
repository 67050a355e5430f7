package document

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// Kind is the type that a filled-in text has.
type Kind string

// The kinds of a filled-in text.
const (
	TextKind    Kind = "!!str"
	IntegerKind Kind = "!!int"
	BooleanKind Kind = "!!bool"
)

// unfilled marks a text whose parameters have no values, so that nobody
// wonders at what it says instead.
const unfilled = "!!unfilled"

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// Fill replaces each ${name} in the texts of the value by what lookup answers.
// A text that is one ${name} and nothing else takes the kind of the answer.
// Lookup reports by itself a name that it does not know.
func (v Value) Fill(lookup func(at Value, name string) (text string, kind Kind, ok bool)) {
	switch v.node.Kind {
	case yaml.MappingNode:
		fields, ok := v.Map()
		if !ok {
			return
		}
		for _, entry := range fields.Entries() {
			if strings.Contains(entry.Key, "${") {
				entry.Value.Problem("a parameter stands in a key", "use parameters in values alone")
			}
			entry.Value.Fill(lookup)
		}
	case yaml.SequenceNode:
		if values, ok := v.List(); ok {
			for _, value := range values {
				value.Fill(lookup)
			}
		}
	case yaml.ScalarNode:
		if v.node.Tag == "!!str" && strings.Contains(v.node.Value, "${") {
			v.fillText(lookup)
		}
	}
}

func (v Value) fillText(lookup func(Value, string) (string, Kind, bool)) {
	text := v.node.Value
	if strings.Contains(placeholder.ReplaceAllString(text, ""), "${") {
		v.Problem(fmt.Sprintf("%q has a ${ without its }", shorten(text)), "write ${name}")
		v.node.Tag = unfilled
		return
	}
	kind, complete := TextKind, true
	v.node.Value = placeholder.ReplaceAllStringFunc(text, func(match string) string {
		filled, its, ok := lookup(v, match[2:len(match)-1])
		complete = complete && ok
		if match == text {
			kind = its
		}
		return filled
	})
	v.node.Tag = string(kind)
	if !complete {
		v.node.Tag = unfilled
	}
}
