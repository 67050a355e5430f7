package fault

import (
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Kind is one kind of Chaos Mesh object that a fault can be: a row of the table
// kinds.yaml. Drivers, compiler, schema, doctor and the chart's Role ask it.
type Kind struct {
	// Name is the kind's name in Chaos Mesh's API, such as PodChaos, and Key the
	// key of its short form in an experiment, such as podChaos.
	Name, Key string
	Summary   string // what happens to what is hit, in a few words
	// Actions are those of the short form, which leaves out the key action for one.
	Actions []string
	// ObjectActions are further ones that a whole object can have.
	ObjectActions []string
	// Implied marks a kind whose objects have no field action: the action is the
	// only one, or that of the first field that is set and belongs to one.
	Implied bool
	Fields  []Field // of its spec beside action, selectors and duration
	// Stops marks a fault that stops what it hits, with the events down and
	// ready. A fault of any other kind is put on running pods, and stays.
	Stops bool
	// Between marks a short form that names the two services that the fault
	// lies between, and not one that it is on.
	Between bool
	// Optional marks a kind that no experiment that comes with emco-chaos uses:
	// those run without the rights on it, and on a cluster that lacks it.
	Optional bool
	// Kept is the resource in which Chaos Mesh keeps what all faults of this kind do
	// to one pod, and one that cannot be injected stays; or empty.
	Kept string
}

//go:embed kinds.yaml
var table []byte

// kinds are the rows, and common the keys of short forms of whatever kind.
var kinds, common = rows(table)

func rows(table []byte) (kinds []Kind, common []Field) {
	var read struct {
		Definitions map[string]any
		Common      []Field
		Kinds       []Kind
	}
	if err := yaml.UnmarshalStrict(table, &read); err != nil {
		panic(fmt.Errorf("read the kinds of fault: %w", err))
	}
	return read.Kinds, read.Common
}

// Kinds is the table of the kinds that a fault can be.
func Kinds() []Kind { return slices.Clone(kinds) }

// ErrKind is the error of an object whose kind is not in the table.
var ErrKind = errors.New("a fault is a " + either(kindNames()) + " of " + GroupVersion)

func kindNames() []string {
	var list []string
	for _, kind := range kinds {
		list = append(list, kind.Name)
	}
	return list
}

// Find returns the row of the kind with that name, or [ErrKind].
func Find(name string) (Kind, error) {
	if kind, found := find(func(kind Kind) bool { return kind.Name == name }); found {
		return kind, nil
	}
	return Kind{}, fmt.Errorf("%w, not %s", ErrKind, name)
}

// Short finds the kind whose short form has that key.
func Short(key string) (Kind, bool) { return find(func(kind Kind) bool { return kind.Key == key }) }

func find(is func(Kind) bool) (Kind, bool) {
	at := slices.IndexFunc(kinds, is)
	if at < 0 {
		return Kind{}, false
	}
	return kinds[at], true
}

// NameOf is the name of the object's kind. It does not read the object's own
// TypeMeta, which the API server's clients leave out.
func NameOf(object Object) string { return reflect.TypeOf(object).Elem().Name() }

// New is an object of the kind with that name, empty but for apiVersion and
// kind; the name is one that [NameOf] or a [Kind] gave.
func New(name string) Object {
	object := v1alpha1.AllKinds()[name].SpawnObject().(Object)
	object.GetObjectKind().SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(name))
	return object
}

// NewList is an empty list of objects of the kind, for a client to fill.
func (k Kind) NewList() v1alpha1.GenericChaosList { return v1alpha1.AllKinds()[k.Name].SpawnList() }

// Objects are the objects of a list.
func Objects(list v1alpha1.GenericChaosList) []Object {
	var objects []Object
	for _, item := range list.GetItems() {
		objects = append(objects, item.(Object))
	}
	return objects
}

// Resource is the kind's resource as a Role names it, such as podchaos.
func (k Kind) Resource() string { return strings.ToLower(k.Name) }

// action is the action of an object with these fields.
func (k Kind) action(fields map[string]any) string {
	switch {
	case !k.Implied:
		return Field{Path: "action"}.text(fields)
	case len(k.Actions) == 1:
		return k.Actions[0]
	}
	for _, field := range k.Fields {
		if len(field.Actions) > 0 && field.text(fields) != "" {
			return field.Actions[0]
		}
	}
	return ""
}

// either lists words of which one is to be chosen.
func either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

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

// schema is a JSON Schema, or a part of one.
type schema = map[string]any

// WholeKey is the key of a whole Chaos Mesh object in an experiment.
const WholeKey = "chaosMesh"

// Schema is the JSON Schema, with the annotations of [document.Schema], of what
// stands behind a step's key fault. It refers to the definition parameter.
func Schema() map[string]any {
	forms, oneOf := schema{}, []any{}
	for _, kind := range kinds {
		forms[kind.Key] = kind.schema()
		oneOf = append(oneOf, schema{"required": []string{kind.Key}})
	}
	forms[WholeKey] = schema{
		"type": "object", "required": []string{"apiVersion", "kind", "spec"},
		"properties": schema{
			"apiVersion": schema{"const": GroupVersion, "x-missing": "write apiVersion: " + GroupVersion},
			"kind":       schema{"enum": kindNames(), "x-missing": "write kind: " + either(kindNames())},
			"metadata":   schema{"type": "object", "properties": schema{"name": unnamed, "generateName": unnamed}},
			"spec":       schema{"type": "object", "x-missing": "write spec: as in the reference of Chaos Mesh"},
		},
		"description": "a whole object, as Chaos Mesh's reference has it, without a name",
	}
	return schema{
		"type": "object", "additionalProperties": false, "properties": forms,
		"oneOf": append(oneOf, schema{"required": []string{WholeKey}}), "x-message": "names no fault",
	}
}

var unnamed = schema{"not": schema{}, "x-message": "is there", "x-remedy": "leave the name out: it is made of the run's and the step's"}

// schema is the schema of the kind's short form. What is wrong between an
// action and the other keys, [Kind.Read] finds.
func (k Kind) schema() schema {
	properties, required := schema{}, []string{}
	for _, field := range slices.Concat(common, k.Fields) {
		switch {
		case field.Key == "", field.Key == "action" && len(k.Actions) == 1, field.Key == "service" && k.Between, field.Key == "between" && !k.Between:
			continue
		case field.Key == "action":
			field.Schema, field.Example = schema{"enum": k.Actions}, either(k.Actions)
		case len(field.Actions) > 0 && len(k.actionsOf(field.Key)) < len(k.Actions):
			field.Summary += "; of the action " + either(field.Actions)
		}
		properties[field.Key] = schema{
			"anyOf":       []any{field.Schema, schema{"$ref": "#/definitions/parameter"}},
			"description": field.Summary, "x-missing": fmt.Sprintf("write %s: %v", field.Key, field.Example),
		}
		if field.Required && len(field.Actions) == 0 {
			required = append(required, field.Key)
		}
	}
	return schema{"type": "object", "additionalProperties": false, "description": k.Summary, "properties": properties, "required": required}
}
