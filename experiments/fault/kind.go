package fault

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/chaos-mesh/chaos-mesh/api/v1alpha1"
)

// Kind is one kind of Chaos Mesh object that a fault can be: a row of the
// table [Kinds]. What tells it from other kinds stands in its row; drivers,
// compiler, schema, doctor and the chart's Role ask it.
type Kind struct {
	// Name is the kind's name in Chaos Mesh's API, such as PodChaos.
	Name string
	// Key is the key of its short form in an experiment, such as podChaos.
	Key string
	// Actions are the values of spec.action that the short form takes.
	Actions []string
	// ObjectActions are further ones that a whole object can have.
	ObjectActions []string
	// Fields are what the kind's spec has beside action, selectors and
	// duration.
	Fields []Field
	// Stops says that the fault stops what it hits, and down and ready are
	// seen. A fault of any other kind is put on pods that run, and stays.
	Stops bool
	// Between says that the short form names the two services that the fault
	// lies between, and not one that it is on.
	Between bool
	// Kept is the resource in which Chaos Mesh keeps what all faults of this
	// kind do to one pod, where a fault that cannot be injected stays; empty
	// when there is none to mend.
	Kept string
}

var kinds = []Kind{
	{
		Name: PodChaos, Key: "podChaos", Stops: true,
		Actions: []string{"pod-kill", "pod-failure", "container-kill"},
		Fields: []Field{
			{
				Key: "container", Path: "containerNames", Type: Names, Actions: []string{"container-kill"}, Default: ServiceName,
				Summary: "the container that is killed; the one named like the service if left out",
			},
			{
				Key: "gracePeriod", Path: "gracePeriod", Type: Seconds, Actions: []string{"pod-kill"},
				Summary: "how long a killed pod is given to stop, in whole seconds",
			},
		},
	},
	{
		Name: NetworkChaos, Key: "networkChaos", Between: true, Kept: "podnetworkchaos",
		Actions:       []string{"partition", "delay"},
		ObjectActions: []string{"netem", "loss", "duplicate", "corrupt", "bandwidth"},
		Fields: []Field{
			{
				Key: "direction", Path: "direction", Type: Choice, Allowed: []string{"to", "from", "both"},
				Summary: "the traffic that is hit, seen from the first service",
			},
			{Path: "partitionBehavior", Type: Choice, Allowed: []string{"drop", "reject"}},
			{
				Key: "latency", Path: "delay.latency", Type: Latency, Actions: []string{"delay"}, Required: true, Example: "200ms",
				Summary: "how long each packet is delayed",
			},
			{
				Key: "jitter", Path: "delay.jitter", Type: Latency, Actions: []string{"delay"}, Example: "20ms",
				Summary: "how much that delay varies",
			},
		},
	},
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
	for _, kind := range kinds {
		if kind.Name == name {
			return kind, nil
		}
	}
	return Kind{}, fmt.Errorf("%w, not %s", ErrKind, name)
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

// NewList is an empty list of objects of the kind, for a client to fill; see
// [Objects].
func (k Kind) NewList() List { return v1alpha1.AllKinds()[k.Name].SpawnList() }

// Resource is the kind's resource as a Role names it, such as podchaos.
func (k Kind) Resource() string { return strings.ToLower(k.Name) }
