package fault

import (
	_ "embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
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
	// Network marks a fault on the network of the pods, which is that of the node for
	// pods without one of their own.
	Network bool
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

func Objects(list v1alpha1.GenericChaosList) []Object {
	var objects []Object
	for _, item := range list.GetItems() {
		objects = append(objects, item.(Object))
	}
	return objects
}

// Resource is the kind's resource as a Role names it, such as podchaos.
func (k Kind) Resource() string { return strings.ToLower(k.Name) }

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
