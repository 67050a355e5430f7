package emco

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Given is the state that the resources of an attempt are brought to before
// it begins. A field that is empty has its default: the cluster provider,
// its cluster and the cluster's label are Created, the rest is absent.
type Given struct {
	ClusterProvider State // absent, Created
	Cluster         State // absent, Created
	ClusterLabel    State // absent, Created
	LogicalCloud    State // absent, Created, Instantiated, Terminated
	DIG             State // absent, Created, Approved, Instantiated, Terminated
}

// givenField is one field of a Given.
type givenField struct {
	name   string
	states []State
	value  func(*Given) *State
}

var givenFields = []givenField{
	{"clusterProvider", []State{Absent, Created}, func(g *Given) *State { return &g.ClusterProvider }},
	{"cluster", []State{Absent, Created}, func(g *Given) *State { return &g.Cluster }},
	{"clusterLabel", []State{Absent, Created}, func(g *Given) *State { return &g.ClusterLabel }},
	{"logicalCloud", []State{Absent, Created, Instantiated, Terminated}, func(g *Given) *State { return &g.LogicalCloud }},
	{"dig", []State{Absent, Created, Approved, Instantiated, Terminated}, func(g *Given) *State { return &g.DIG }},
}

// givenFor is the field that takes the whole state from the table of calls.
const givenFor = "for"

// ParseGiven reads a given state from a decoded document: either states,
// such as {logicalCloud: Instantiated, dig: Approved}, or {for: CALL} for the
// state that a call needs. Errors are [document.Problem]s with paths below "given".
func ParseGiven(states map[string]any) (Given, error) {
	if value, ok := states[givenFor]; ok {
		if len(states) > 1 {
			return Given{}, document.Problem{Field: "given." + givenFor, Message: "stands beside other fields",
				Remedy: "give either the call or the states"}
		}
		name, ok := value.(string)
		if !ok {
			return Given{}, document.Problem{Field: "given." + givenFor, Message: "is no text", Remedy: "name one of " + strings.Join(CallNames(), ", ")}
		}
		call, ok := CallNamed(name)
		if !ok {
			return Given{}, document.Problem{Field: "given." + givenFor, Message: fmt.Sprintf("%q is no call", document.Shown(name)),
				Remedy: "name one of " + strings.Join(CallNames(), ", ")}
		}
		return call.Given, nil
	}

	var given Given
	for _, key := range slices.Sorted(maps.Keys(states)) {
		i := slices.IndexFunc(givenFields, func(f givenField) bool { return f.name == key })
		if i < 0 {
			return Given{}, document.Problem{Field: "given." + document.Shown(key), Message: "is no field of a given state",
				Remedy: "use " + strings.Join(givenNames(), ", ") + " or " + givenFor}
		}
		text, ok := states[key].(string)
		if !ok {
			return Given{}, document.Problem{Field: "given." + key, Message: "is no text", Remedy: "use one of " + join(givenFields[i].states)}
		}
		*givenFields[i].value(&given) = State(text)
	}
	return given, given.Check()
}

func givenNames() []string {
	var names []string
	for _, f := range givenFields {
		names = append(names, f.name)
	}
	return names
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
	g.ClusterProvider = or(g.ClusterProvider, Created)
	g.Cluster = or(g.Cluster, g.ClusterProvider)
	g.ClusterLabel = or(g.ClusterLabel, g.Cluster)
	g.LogicalCloud = or(g.LogicalCloud, Absent)
	g.DIG = or(g.DIG, Absent)
	return g
}

// Document is the given state, defaults filled in, in the form that
// [ParseGiven] reads.
func (g Given) Document() map[string]any {
	full := g.Full()
	states := map[string]any{}
	for _, f := range givenFields {
		states[f.name] = string(*f.value(&full))
	}
	return states
}

// String is the given state for a reader.
func (g Given) String() string {
	full := g.Full()
	var parts []string
	for _, f := range givenFields {
		parts = append(parts, f.name+" "+string(*f.value(&full)))
	}
	return strings.Join(parts, ", ")
}

// Check says whether EMCO can be brought to the state. Errors are
// [document.Problem]s.
func (g Given) Check() error {
	full := g.Full()
	for _, f := range givenFields {
		if state := *f.value(&full); !slices.Contains(f.states, state) {
			return document.Problem{Field: "given." + f.name, Message: fmt.Sprintf("%q is no state to bring it to", document.Shown(string(state))),
				Remedy: "use one of " + join(f.states)}
		}
	}
	needs := func(field string, state State, other string, want State) error {
		return document.Problem{Field: "given." + field, Message: fmt.Sprintf("%s needs %s %s", state, other, want),
			Remedy: fmt.Sprintf("set given.%s to %s", other, want)}
	}
	cloudRan := full.LogicalCloud == Instantiated || full.LogicalCloud == Terminated
	digRan := full.DIG == Instantiated || full.DIG == Terminated
	switch {
	case full.Cluster == Created && full.ClusterProvider != Created:
		return needs("cluster", full.Cluster, "clusterProvider", Created)
	case full.ClusterLabel == Created && full.Cluster != Created:
		return needs("clusterLabel", full.ClusterLabel, "cluster", Created)
	case cloudRan && full.Cluster != Created:
		return needs("logicalCloud", full.LogicalCloud, "cluster", Created)
	case digRan && full.LogicalCloud != Instantiated:
		return needs("dig", full.DIG, "logicalCloud", Instantiated)
	case digRan && full.ClusterLabel != Created:
		return needs("dig", full.DIG, "clusterLabel", Created)
	case full.DIG != Absent && full.LogicalCloud == Absent:
		return needs("dig", full.DIG, "logicalCloud", Created)
	}
	return nil
}

// differs finds the first field that g names and that is another in a full
// given state.
func (g Given) differs(full Given) (givenField, bool) {
	for _, f := range givenFields {
		if state := *f.value(&g); state != "" && state != *f.value(&full) {
			return f, true
		}
	}
	return givenField{}, false
}

// Has says whether a kind of resource is there in the given state.
func (g Given) Has(kind Kind) bool {
	full := g.Full()
	switch kind {
	case Project:
		return true
	case ClusterProvider:
		return full.ClusterProvider != Absent
	case Cluster:
		return full.Cluster != Absent
	case ClusterLabel:
		return full.ClusterLabel != Absent
	case LogicalCloud, ClusterReference:
		return full.LogicalCloud != Absent
	default:
		return full.DIG != Absent
	}
}
