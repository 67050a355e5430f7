package emco

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Given is the state that the resources of an attempt are brought to before it
// begins. By default the cluster provider, its cluster and the cluster's label
// are Created, and the rest is absent.
type Given struct{ ClusterProvider, Cluster, ClusterLabel, LogicalCloud, DIG, DIG2, DIG3 State }

type givenField struct {
	name   string
	states []State
	value  func(*Given) *State
	kinds  []Kind // that are there if it is not absent
	group  int    // the number of the deployment intent group whose kinds they are
}

var givenFields = []givenField{
	{"clusterProvider", []State{Absent, Created}, func(g *Given) *State { return &g.ClusterProvider }, []Kind{ClusterProvider}, 0},
	{"cluster", []State{Absent, Created}, func(g *Given) *State { return &g.Cluster }, []Kind{Cluster}, 0},
	{"clusterLabel", []State{Absent, Created}, func(g *Given) *State { return &g.ClusterLabel }, []Kind{ClusterLabel}, 0},
	{"logicalCloud", []State{Absent, Created, Instantiated, Terminated}, func(g *Given) *State { return &g.LogicalCloud },
		[]Kind{LogicalCloud, ClusterReference}, 0},
	{"dig", digStates, func(g *Given) *State { return &g.DIG }, digKinds, 1},
	{"dig2", digStates, func(g *Given) *State { return &g.DIG2 }, digKinds, 2},
	{"dig3", digStates, func(g *Given) *State { return &g.DIG3 }, digKinds, 3},
}

var (
	digStates = []State{Absent, Created, Approved, Instantiated, Terminated}
	digKinds  = []Kind{CompositeApp, App, CompositeProfile, Profile, DeploymentIntentGroup, GenericPlacementIntent, AppIntent, Intent}
)

// needs has the states of one field that need another field in one of some
// states; the first of those is the remedy.
var needs = []struct {
	fields []string
	in     []State
	other  string
	want   []State
}{
	{[]string{"cluster"}, []State{Created}, "clusterProvider", []State{Created}},
	{[]string{"clusterLabel"}, []State{Created}, "cluster", []State{Created}},
	{[]string{"logicalCloud"}, []State{Instantiated, Terminated}, "cluster", []State{Created}},
	{digs, []State{Instantiated, Terminated}, "logicalCloud", []State{Instantiated}},
	{digs, []State{Instantiated, Terminated}, "clusterLabel", []State{Created}},
	{digs, []State{Created, Approved}, "logicalCloud", []State{Created, Instantiated, Terminated}},
}

// digs are the fields of the deployment intent groups, the first one's first.
var digs = []string{"dig", "dig2", "dig3"}

// givenFor is the field that takes the whole state from the table of calls.
const givenFor = "for"

// ParseGiven reads a given state, such as {logicalCloud: Instantiated, dig:
// Approved}, or {for: CALL} for the one that a call needs, from a decoded document.
// Errors are [document.Problem]s with paths below "given".
func ParseGiven(states map[string]any) (Given, error) {
	if value, ok := states[givenFor]; ok {
		name, text := value.(string)
		call, known := CallNamed(name)
		switch {
		case len(states) > 1:
			return Given{}, givenProblem(givenFor, "stands beside other fields", "give either the call or the states")
		case !text:
			return Given{}, givenProblem(givenFor, "is no text", document.Instead("", CallNames()))
		case !known:
			return Given{}, givenProblem(givenFor, fmt.Sprintf("%q is no call", document.Shown(name)), document.Instead(name, CallNames()))
		}
		return call.Given, nil
	}

	var given Given
	for _, key := range slices.Sorted(maps.Keys(states)) {
		i := slices.IndexFunc(givenFields, func(f givenField) bool { return f.name == key })
		if i < 0 {
			names := []string{givenFor}
			for _, f := range givenFields {
				names = append(names, f.name)
			}
			return Given{}, givenProblem(document.Shown(key), "is no field of a given state", document.Instead(key, names))
		}
		text, ok := states[key].(string)
		if !ok {
			return Given{}, givenProblem(key, "is no text", "use one of "+join(givenFields[i].states))
		}
		*givenFields[i].value(&given) = State(text)
	}
	return given, given.Check()
}

func givenProblem(field, message, remedy string) error {
	return document.Problem{Field: "given." + field, Message: message, Remedy: remedy}
}

func join(states []State) string {
	var words []string
	for _, s := range states {
		words = append(words, string(s))
	}
	return strings.Join(words, ", ")
}

// Full is the given state with its defaults filled in.
func (g Given) Full() Given {
	g.ClusterProvider = cmp.Or(g.ClusterProvider, Created)
	g.Cluster = cmp.Or(g.Cluster, g.ClusterProvider)
	g.ClusterLabel = cmp.Or(g.ClusterLabel, g.Cluster)
	g.LogicalCloud = cmp.Or(g.LogicalCloud, Absent)
	g.DIG, g.DIG2, g.DIG3 = cmp.Or(g.DIG, Absent), cmp.Or(g.DIG2, Absent), cmp.Or(g.DIG3, Absent)
	return g
}

// String is the full given state, with no more groups than there are: most have one.
func (g Given) String() string {
	full := g.Full()
	var parts []string
	for _, f := range givenFields {
		if state := *f.value(&full); state != Absent || f.group <= 1 {
			parts = append(parts, f.name+" "+string(state))
		}
	}
	return strings.Join(parts, ", ")
}

// State is the state of a field of the full given state, such as "dig".
func (g Given) State(field string) State {
	full := g.Full()
	return *full.field(field)
}

// Group is the state of the deployment intent group of a number, as [Names.Group] has it.
func (g Given) Group(number int) State { return g.State(digs[number-1]) }

func (g *Given) group(number int) *State { return g.field(digs[number-1]) }

func (g *Given) field(name string) *State {
	return givenFields[slices.IndexFunc(givenFields, func(f givenField) bool { return f.name == name })].value(g)
}

// Check refuses a state that EMCO cannot be brought to. Errors are
// [document.Problem]s.
func (g Given) Check() error {
	full := g.Full()
	for _, f := range givenFields {
		if state := *f.value(&full); !slices.Contains(f.states, state) {
			return givenProblem(f.name, fmt.Sprintf("%q is no state to bring it to", document.Shown(string(state))), "use one of "+join(f.states))
		}
	}
	for _, n := range needs {
		for _, field := range n.fields {
			if state := *full.field(field); slices.Contains(n.in, state) && !slices.Contains(n.want, *full.field(n.other)) {
				return givenProblem(field, fmt.Sprintf("%s needs %s %s", state, n.other, n.want[0]), fmt.Sprintf("set given.%s to %s", n.other, n.want[0]))
			}
		}
	}
	return nil
}

// differs finds the first field that g names and that is another in full.
func (g Given) differs(full Given) (givenField, bool) {
	for _, f := range givenFields {
		if state := *f.value(&g); state != "" && state != *f.value(&full) {
			return f, true
		}
	}
	return givenField{}, false
}

// Has reports whether a kind of resource is there in the given state, of whatever group.
func (g Given) Has(kind Kind) bool {
	full := g.Full()
	return kind == Project || slices.ContainsFunc(givenFields, func(f givenField) bool {
		return slices.Contains(f.kinds, kind) && *f.value(&full) != Absent
	})
}

// Includes reports whether a resource is there in the given state.
func (g Given) Includes(resource Resource) bool {
	full := g.Full()
	return resource.Kind == Project || slices.ContainsFunc(givenFields, func(f givenField) bool {
		return f.group == resource.Group && slices.Contains(f.kinds, resource.Kind) && *f.value(&full) != Absent
	})
}
