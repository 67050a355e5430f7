package fault

import (
	"errors"
	"fmt"
	"math"
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
	// Actions are those that the short form takes. The key action is left out
	// where there is one alone.
	Actions []string
	// ObjectActions are further ones that a whole object can have.
	ObjectActions []string
	// Implied says that an object has no field action: it is the only one, or
	// that of the first field that is set and belongs to one.
	Implied bool
	// Fields are what the kind's spec has beside action, selectors and
	// duration.
	Fields []Field
	// Stops says that the fault stops what it hits, and down and ready are
	// seen. A fault of any other kind is put on pods that run, and stays.
	Stops bool
	// Between says that the short form names the two services that the fault
	// lies between, and not one that it is on.
	Between bool
	// Optional says that no experiment that comes with emco-chaos has such a
	// fault: those run without the rights on the kind, and without the kind.
	Optional bool
	// Kept is the resource in which Chaos Mesh keeps what all faults of this
	// kind do to one pod, where a fault that cannot be injected stays; empty
	// when there is none to mend.
	Kept string
}

var kinds = []Kind{
	{
		Name: v1alpha1.KindPodChaos, Key: "podChaos", Stops: true,
		Actions: []string{"pod-kill", "pod-failure", "container-kill"},
		Fields: []Field{
			{
				Key: "container", Path: "containerNames", Type: container, Actions: []string{"container-kill"}, Default: serviceName,
				Summary: "the container that is killed, if it is not named like the service", Example: "server",
			},
			{
				Key: "gracePeriod", Path: "gracePeriod", Type: seconds, Actions: []string{"pod-kill"}, Example: "5s",
				Summary: "how long a killed pod is given to stop, in whole seconds",
			},
		},
	},
	{
		Name: v1alpha1.KindNetworkChaos, Key: "networkChaos", Between: true, Kept: "podnetworkchaos",
		Actions: []string{"partition", "delay", "loss", "duplicate", "corrupt", "bandwidth"}, ObjectActions: []string{"netem"},
		Fields: []Field{
			{
				Key: "direction", Path: "direction", Type: choice("to", "from", "both"),
				Summary: "the traffic that is hit, seen from the first service", Example: "to",
			},
			{Path: "partitionBehavior", Type: choice("drop", "reject")},
			{
				Key: "latency", Path: "delay.latency", Type: latency, Actions: []string{"delay"}, Required: true,
				Summary: "how long each packet is delayed", Example: "200ms",
			},
			{Key: "jitter", Path: "delay.jitter", Type: jitter, Actions: []string{"delay"}, Summary: "how much that delay varies", Example: "20ms"},
			{
				Key: "loss", Path: "loss.loss", Type: percent, Actions: []string{"loss"}, Required: true,
				Summary: "how many packets of a hundred are lost", Example: int64(25),
			},
			{
				Key: "duplicate", Path: "duplicate.duplicate", Type: percent, Actions: []string{"duplicate"}, Required: true,
				Summary: "how many packets of a hundred come twice", Example: int64(25),
			},
			{
				Key: "corrupt", Path: "corrupt.corrupt", Type: percent, Actions: []string{"corrupt"}, Required: true,
				Summary: "how many packets of a hundred have a wrong bit", Example: int64(25),
			},
			{
				Key: "rate", Path: "bandwidth.rate", Type: rate, Actions: []string{"bandwidth"}, Required: true,
				Summary: "how much is let through a second", Example: "1mbit",
			},
			{
				Key: "limit", Path: "bandwidth.limit", Type: integer(1, math.MaxUint32), Actions: []string{"bandwidth"}, Default: int64(20 << 20),
				Summary: "how many bytes can wait to be let through", Example: int64(20 << 20),
			},
			{
				Key: "buffer", Path: "bandwidth.buffer", Type: integer(1, math.MaxUint32), Actions: []string{"bandwidth"}, Default: int64(10000),
				Summary: "how many bytes can be let through at once", Example: int64(10000),
			},
		},
	},
	{
		Name: v1alpha1.KindTimeChaos, Key: "timeChaos", Optional: true, Implied: true, Actions: []string{"clock-offset"},
		Fields: []Field{
			{
				Key: "offset", Path: "timeOffset", Type: offset, Required: true,
				Summary: "how far the clock of the container's processes is set forward, or back if it is negative", Example: "-10m",
			},
			{Key: "clocks", Path: "clockIds", Type: clocks, Summary: "the clocks that are set; CLOCK_REALTIME if left out", Example: []any{"CLOCK_MONOTONIC"}},
			firstContainer,
		},
	},
	{
		Name: v1alpha1.KindDNSChaos, Key: "dnsChaos", Optional: true, Actions: []string{"error", "random"},
		Fields: []Field{
			{
				Key: "patterns", Path: "patterns", Type: listOf(schema{"type": "string", "minLength": 1}),
				Summary: "the host names that are answered so, with ? and a * at the end; all if left out", Example: []any{"etcd.*"},
			},
			firstContainer,
		},
	},
	{
		Name: v1alpha1.KindIOChaos, Key: "ioChaos", Optional: true,
		Actions: []string{"latency", "fault"}, ObjectActions: []string{"attrOverride", "mistake"},
		Fields: []Field{
			{Key: "volume", Path: "volumePath", Type: path, Required: true, Summary: "where the volume is mounted in the container", Example: "/var/lib/etcd"},
			{Key: "path", Path: "path", Type: path, Summary: "the files in it, as a glob; all if left out", Example: "/var/lib/etcd/**/*.wal"},
			{
				Key: "delay", Path: "delay", Type: duration, Actions: []string{"latency"}, Required: true,
				Summary: "how long each operation is delayed", Example: "100ms",
			},
			{
				Key: "errno", Path: "errno", Type: integer(1, 133), Actions: []string{"fault"}, Required: true,
				Summary: "the error that each operation returns: 5 is EIO, 28 is ENOSPC", Example: int64(5),
			},
			{
				Key: "percent", Path: "percent", Type: integer(1, 100), Default: int64(100),
				Summary: "how many operations of a hundred are hit; all if left out", Example: int64(50),
			},
			{
				Key: "methods", Path: "methods", Type: listOf(schema{"type": "string", "minLength": 1}),
				Summary: "the file system operations that are hit; all if left out", Example: []any{"write", "fsync"},
			},
			firstContainer,
		},
	},
	{
		Name: v1alpha1.KindHTTPChaos, Key: "httpChaos", Optional: true, Implied: true,
		Actions: []string{"abort", "delay"}, ObjectActions: []string{"replace", "patch"},
		Fields: []Field{
			{Path: "abort", Actions: []string{"abort"}, Default: true},
			{
				Key: "delay", Path: "delay", Type: duration, Actions: []string{"delay"}, Required: true,
				Summary: "how long each message is delayed", Example: "2s",
			},
			{Path: "replace", Actions: []string{"replace"}},
			{Path: "patch", Actions: []string{"patch"}},
			{
				Key: "target", Path: "target", Type: choice("Request", "Response"), Required: true,
				Summary: "the messages that are hit", Example: "Response",
			},
			{Key: "port", Path: "port", Type: integer(1, 65535), Required: true, Summary: "the port that the service listens on", Example: int64(9015)},
			{Key: "path", Path: "path", Type: path, Summary: "the path of the requests, with *; all if left out", Example: "/v2/projects/*"},
			{
				Key: "method", Path: "method", Type: choice("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"),
				Summary: "the method of the requests; all if left out", Example: "POST",
			},
			{Key: "code", Path: "code", Type: integer(100, 599), Summary: "the code of the responses; all if left out", Example: int64(202)},
		},
	},
	{
		Name: v1alpha1.KindStressChaos, Key: "stressChaos", Optional: true, Implied: true,
		Actions: []string{"cpu", "memory"}, ObjectActions: []string{"stress-ng"},
		Fields: []Field{
			{
				Key: "workers", Path: "stressors.cpu.workers", Type: integer(1, 8192), Actions: []string{"cpu"}, Default: int64(1),
				Summary: "how many processes take CPU time or memory; 1 if left out", Example: int64(2),
			},
			{
				Key: "load", Path: "stressors.cpu.load", Type: integer(0, 100), Actions: []string{"cpu"},
				Summary: "how much CPU time each takes, of a hundred; all if left out", Example: int64(80),
			},
			{
				Key: "workers", Path: "stressors.memory.workers", Type: integer(1, 8192), Actions: []string{"memory"}, Default: int64(1),
				Summary: "how many processes take CPU time or memory; 1 if left out", Example: int64(2),
			},
			{
				Key: "size", Path: "stressors.memory.size", Type: size, Actions: []string{"memory"}, Required: true,
				Summary: "how much memory each takes, or how much of all", Example: "256MB",
			},
			{Path: "stressngStressors", Actions: []string{"stress-ng"}},
			firstContainer,
		},
	},
}

// firstContainer is a container of a kind of fault that is on one container.
var firstContainer = Field{
	Key: "container", Path: "containerNames", Type: container, Summary: "the container that is hit; the pod's first one if left out", Example: "server",
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

// Short finds the kind whose short form has that key.
func Short(key string) (Kind, bool) {
	at := slices.IndexFunc(kinds, func(kind Kind) bool { return kind.Key == key })
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
