package fault

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
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
	// Required says that an object with one of those actions must have it.
	Required bool
	// Default is what a short form has that does not name the field; nil is
	// nothing.
	Default any
	// Allowed are the values of a Choice.
	Allowed []string
	// Summary says what the value is, and Example is one.
	Summary, Example string
}

// ServiceName is the default that stands for the service that the fault is on.
const ServiceName = "${service}"

// Type is the type of a field's value.
type Type struct {
	// Schema is the JSON Schema of the value in the short form.
	Schema func(Field) map[string]any
	// read reads the value in the short form, as the object has it.
	read func(Field, document.Value) (any, bool)
	// refuse says what the custom resource definition has against the object's
	// value, or nothing.
	refuse func(f Field, value any) (message, remedy string)
}

var (
	// Names are a list of names; the short form can have one alone.
	Names = Type{schemaOfText, readNames, takeAny}
	// Choice is one of the texts allowed.
	Choice = Type{
		func(f Field) map[string]any { return map[string]any{"enum": f.Allowed} },
		func(f Field, value document.Value) (any, bool) { return asAny(value.Choice(f.Allowed...)) },
		func(f Field, value any) (string, string) { return unknown(fmt.Sprint(value), f.Allowed) },
	}
	// Seconds are a duration in the short form, and whole seconds in the object.
	Seconds = Type{schemaOfDuration, readSeconds, refuseNegative}
	// Latency is a duration, written in the object as one number with one unit.
	Latency = Type{schemaOfDuration, readLatency, refuseLatency}
)

func asAny[T any](value T, ok bool) (any, bool) { return value, ok }

func takeAny(Field, any) (string, string) { return "", "" }

func schemaOfText(Field) map[string]any { return map[string]any{"type": "string"} }

// DurationPattern is the pattern of a duration that is not negative.
const DurationPattern = `^(0|[+]?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$`

func schemaOfDuration(Field) map[string]any {
	return map[string]any{"type": "string", "pattern": DurationPattern}
}

func readNames(_ Field, value document.Value) (any, bool) {
	name, ok := value.Text()
	return []string{name}, ok
}

func readSeconds(_ Field, value document.Value) (any, bool) {
	duration, ok := value.Duration()
	if ok && duration%time.Second != 0 {
		value.Problem("is not whole seconds", "Chaos Mesh takes whole seconds, such as 5s")
		return nil, false
	}
	return int64(duration / time.Second), ok
}

func refuseNegative(_ Field, value any) (string, string) {
	if number, ok := value.(float64); ok && number < 0 {
		return "is negative", "write seconds, or leave it out"
	}
	return "", ""
}

func readLatency(f Field, value document.Value) (any, bool) {
	duration, ok := value.Duration()
	if ok && duration == 0 && f.Required {
		value.Problem("is zero", "write a duration such as "+f.Example)
		return nil, false
	}
	return strconv.FormatFloat(float64(duration)/float64(time.Millisecond), 'f', -1, 64) + "ms", ok
}

// latency is the pattern of the custom resource definition.
var latency = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h)$`)

func refuseLatency(f Field, value any) (string, string) {
	if text := fmt.Sprint(value); !latency.MatchString(text) {
		return fmt.Sprintf("%q is not a %s", text, f.Key), "write one number with one unit, such as " + f.Example
	}
	return "", ""
}

func unknown(value string, allowed []string) (message, remedy string) {
	if slices.Contains(allowed, value) {
		return "", ""
	}
	return fmt.Sprintf("%q is not known", value), document.Instead(value, allowed)
}

// ReadShort reads what a short form says beside its services and its
// duration: the action, and the object's spec with it. The service is the one
// that the fault is on.
func (k Kind) ReadShort(fields *document.Map, service string) (action string, spec map[string]any, ok bool) {
	spec, ok = map[string]any{}, false
	if value, found := fields.Need("action", "write action: "+either(k.Actions)); found {
		action, ok = value.Choice(k.Actions...)
		spec["action"] = action
	}
	for _, field := range k.Fields {
		if field.Key == "" {
			continue
		}
		applies := field.belongsTo(action)
		value, found := fields.Get(field.Key)
		switch {
		case found && applies:
			read, fine := field.Type.read(field, value)
			set(spec, field.Path, read)
			ok = ok && fine
		case found && ok:
			value.Problem("belongs to the action "+either(field.Actions), "leave it out, or write action: "+either(field.Actions))
			ok = false
		case applies && field.Required:
			fields.Need(field.Key, "write "+field.Key+": such as "+field.Example)
			ok = false
		case applies && field.Default == ServiceName:
			set(spec, field.Path, []string{service})
		case applies && field.Default != nil:
			set(spec, field.Path, field.Default)
		}
	}
	return action, spec, ok
}

func (f Field) belongsTo(action string) bool {
	return len(f.Actions) == 0 || slices.Contains(f.Actions, action)
}

// action is the action of an object with that spec.
func (k Kind) action(spec map[string]any) string {
	action, _ := spec["action"].(string)
	return action
}

// at is what stands at the path in a spec.
func at(spec map[string]any, path string) (any, bool) {
	first, rest, deeper := strings.Cut(path, ".")
	value, found := spec[first]
	if !deeper || !found {
		return value, found
	}
	below, _ := value.(map[string]any)
	return at(below, rest)
}

// set sets what stands at the path in a spec.
func set(spec map[string]any, path string, value any) {
	first, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		spec[first] = value
		return
	}
	below, _ := spec[first].(map[string]any)
	if below == nil {
		below = map[string]any{}
		spec[first] = below
	}
	set(below, rest, value)
}

// either lists words of which one is to be chosen.
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
