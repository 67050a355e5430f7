package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Field is a field of a kind's spec.
type Field struct {
	// Key is the key in the short form; without one a whole object alone can set it.
	Key string
	// Path is where it stands in the spec, such as delay.latency. What Chaos Mesh
	// knows nothing of is an annotation instead.
	Path, Annotation string
	// Schema is the JSON Schema of the value in the short form; see
	// [document.Schema] for its annotations. An object's value is one of its
	// enum, too.
	Schema map[string]any
	// As is the form of the value in the object: "list" of it, its "text", or
	// the "seconds" or "milliseconds" of a duration; empty keeps it.
	As string
	// Object is the pattern that the custom resource definition demands of the
	// object's value, and its name. The admission web hook checks more.
	Object struct{ Pattern, What string }
	// Actions are those that the field belongs to; empty is all.
	Actions []string
	// Required marks a field that a fault with one of those actions must have.
	Required bool
	// Default is the short form's value without the key; ${service} is the fault's.
	Default any
	// Summary describes the value for a reader, and Example is one.
	Summary string
	Example any
}

func (f Field) belongsTo(action string) bool {
	return len(f.Actions) == 0 || slices.Contains(f.Actions, action)
}

// enum are the few values that the field can have, or none.
func (f Field) enum() []string {
	values, _, _ := unstructured.NestedStringSlice(f.Schema, "enum")
	return values
}

func (f Field) missing(action string) string {
	if len(f.Actions) == 0 {
		return "is missing"
	}
	return "is missing, and the action is " + action
}

func (f Field) remedy() string { return fmt.Sprintf("write one, such as %v", f.Example) }

// text is the field of an object as text; empty when it is not there.
func (f Field) text(object map[string]any) string {
	value, _, _ := unstructured.NestedFieldNoCopy(object, strings.Split("spec."+f.Path, ".")...)
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// object makes the object's value of that of a short form, which the schema
// allows, or returns what is wrong with it.
func (f Field) object(value any) (result any, message string) {
	text := fmt.Sprint(value)
	duration, _ := time.ParseDuration(text)
	switch f.As {
	case "list":
		return []any{value}, ""
	case "text":
		return text, ""
	case "seconds":
		if duration%time.Second != 0 {
			return nil, "is not whole seconds"
		}
		return int64(duration / time.Second), ""
	case "milliseconds":
		if duration == 0 && f.Required {
			return nil, "is zero"
		}
		return strconv.FormatFloat(float64(duration)/float64(time.Millisecond), 'f', -1, 64) + "ms", ""
	}
	return value, ""
}
