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
	// Key is the field's key in the short form. A field without one can only be
	// set in a whole object.
	Key string
	// Path is where it stands in the spec, such as delay.latency.
	Path string
	Type Type
	// Actions are those that the field belongs to; empty is all.
	Actions []string
	// Required says that a fault with one of those actions must have it.
	Required bool
	// Default is what a short form has that does not name the field; nil is
	// nothing.
	Default any
	// Summary says what the value is, and Example is one of a short form.
	Summary string
	Example any
}

// serviceName is the default that stands for the service that the fault is on.
const serviceName = "${service}"

func (f Field) belongsTo(action string) bool {
	return len(f.Actions) == 0 || slices.Contains(f.Actions, action)
}

func (f Field) missing(action string) string {
	if len(f.Actions) == 0 {
		return "is missing"
	}
	return "is missing, and the action is " + action
}

// text is the field of an object as text; empty when it is not there.
func (f Field) text(object map[string]any) string {
	value, _, _ := unstructured.NestedFieldNoCopy(object, strings.Split("spec."+f.Path, ".")...)
	switch value := value.(type) {
	case nil:
		return ""
	case float64: // JSON has no other number
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// Type is the type of a field's value.
type Type struct {
	// schema is the JSON Schema of the value in a short form.
	schema schema
	// object makes the object's value of it, or says what is wrong; nil takes
	// it as it is.
	object func(any) (value any, message string)
	// pattern is the custom resource definition's, and what says what it is
	// of; or allowed are its few values. The admission webhook knows more.
	pattern, what string
	allowed       []string
}

// container is a name, and in the object a list of it.
var container = Type{
	schema: schema{"type": "string", "minLength": 1},
	object: func(value any) (any, string) { return []any{value}, "" },
}

// duration is a duration as Go has it.
var duration = Type{schema: schema{
	"type": "string", "format": "go-duration",
	"x-what": "a duration", "x-number": "has no unit", "x-remedy": "write a duration such as 500ms, 90s or 1m30s",
}}

// seconds are a duration, and in the object a number.
var seconds = Type{
	schema: duration.schema,
	object: func(value any) (any, string) {
		if parsed(value)%time.Second != 0 {
			return nil, "is not whole seconds"
		}
		return int64(parsed(value) / time.Second), ""
	},
	pattern: `^[0-9]+$`, what: "a number of seconds",
}

// latency is a duration above zero, and in the object one number with one
// unit. Jitter may be zero.
var (
	latency = Type{schema: duration.schema, object: milliseconds, pattern: oneUnit, what: "one number with one unit"}
	jitter  = Type{schema: duration.schema, object: func(value any) (any, string) {
		number, _ := milliseconds(value)
		return number, ""
	}, pattern: oneUnit, what: "one number with one unit"}
)

// oneUnit is the pattern of the custom resource definition.
const oneUnit = `^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)$`

func milliseconds(value any) (any, string) {
	number := strconv.FormatFloat(float64(parsed(value))/float64(time.Millisecond), 'f', -1, 64)
	if number == "0" {
		return "0ms", "is zero"
	}
	return number + "ms", ""
}

// percent is a number, and in the object a text.
var percent = Type{
	schema: schema{"type": "number", "exclusiveMinimum": 0, "maximum": 100, "x-what": "a percentage", "x-remedy": "write a number above 0, and 100 at most"},
	object: func(value any) (any, string) { return fmt.Sprint(value), "" },
}

// rate is an amount of data a second.
var rate = Type{schema: matching(`^[0-9]+ ?[kmgtKMGT]?(bit|bps)$`, "a rate", "1mbit, or 1mbps for bytes")}

// listOf is a list of values of the schema.
func listOf(items schema) Type {
	return Type{schema: schema{"type": "array", "minItems": 1, "items": items}}
}

// offset is a duration that can be negative.
var offset = Type{schema: matching(`^[-+]?([0-9]+(\.[0-9]*)?(ns|us|ms|s|m|h))+$`, "a duration", "10m, or -10m for back")}

// clocks are clocks of Linux.
var clocks = listOf(choice(
	"CLOCK_REALTIME", "CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID", "CLOCK_THREAD_CPUTIME_ID", "CLOCK_MONOTONIC_RAW", "CLOCK_REALTIME_COARSE",
	"CLOCK_MONOTONIC_COARSE", "CLOCK_BOOTTIME", "CLOCK_REALTIME_ALARM", "CLOCK_BOOTTIME_ALARM",
).schema)

// path is an absolute path.
var path = Type{schema: matching("^/", "an absolute path", "/data")}

// size is an amount of memory.
var size = Type{schema: matching(`^([0-9]+(\.[0-9]+)? ?[kKmMgGtT]?i?[bB]?|[0-9]+%)$`, "a size", "256MB, or 25% of what there is")}

// integer is a whole number.
func integer(low, high int) Type {
	result := Type{schema: schema{"type": "integer", "minimum": low, "maximum": high}}
	if low > 0 {
		result.pattern, result.what = `^[1-9]`, "a number above 0"
	}
	return result
}

// matching is the schema of a text that has a pattern.
func matching(pattern, what, example string) schema {
	return schema{"type": "string", "pattern": pattern, "x-what": what, "x-remedy": "write one, such as " + example}
}

// choice is one of the texts.
func choice(allowed ...string) Type { return Type{schema: schema{"enum": allowed}, allowed: allowed} }

func parsed(value any) time.Duration {
	duration, _ := time.ParseDuration(fmt.Sprint(value)) // the schema has checked it
	return duration
}
