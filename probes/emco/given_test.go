package emco

import (
	"errors"
	"maps"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

func TestParseGiven(t *testing.T) {
	type doc = map[string]any
	full := func(provider, cluster, label, cloud, dig State) Given {
		return Given{provider, cluster, label, cloud, dig, Absent, Absent}
	}
	for _, test := range []struct {
		document doc
		want     Given
		field    string // of the error, if one is to come
	}{
		{document: doc{}, want: full(Created, Created, Created, Absent, Absent)},
		{document: doc{"logicalCloud": "Instantiated", "dig": "Approved"}, want: full(Created, Created, Created, Instantiated, Approved)},
		{document: doc{"clusterProvider": "absent", "logicalCloud": "Created", "dig": "Approved"}, want: full(Absent, Absent, Absent, Created, Approved)},
		{document: doc{"cluster": "absent"}, want: full(Created, Absent, Absent, Absent, Absent)},
		{document: doc{"logicalCloud": "Terminated", "dig": "Approved"}, want: full(Created, Created, Created, Terminated, Approved)},
		{document: doc{"for": "dig.terminate"}, want: full(Created, Created, Created, Instantiated, Instantiated)},
		{document: doc{"for": "cluster-label.create"}, want: full(Created, Created, Absent, Absent, Absent)},
		{document: doc{"for": "cluster-provider.create"}, want: full(Absent, Absent, Absent, Absent, Absent)},

		{document: doc{"logicalCloud": "Instantiated", "dig": "Approved", "dig3": "Terminated"},
			want: Given{Created, Created, Created, Instantiated, Approved, Absent, Terminated}},
		{document: doc{"for": "dig2.instantiate"}, want: Given{Created, Created, Created, Instantiated, Absent, Approved, Absent}},

		{document: doc{"for": "dig.destroy"}, field: "given.for"},
		{document: doc{"for": 5}, field: "given.for"},
		{document: doc{"for": "dig.approve", "dig": "Created"}, field: "given.for"},
		{document: doc{"digs": "Created"}, field: "given.digs"},
		{document: doc{"dig": 5}, field: "given.dig"},
		{document: doc{"dig": "Deployed", "logicalCloud": "Instantiated"}, field: "given.dig"},
		{document: doc{"dig": "instantiated", "logicalCloud": "Instantiated"}, field: "given.dig"},
		{document: doc{"dig": "Instantiating", "logicalCloud": "Instantiated"}, field: "given.dig"},
		{document: doc{"dig": "Approved"}, field: "given.dig"},
		{document: doc{"dig2": "Approved"}, field: "given.dig2"},
		{document: doc{"dig4": "Approved", "logicalCloud": "Instantiated"}, field: "given.dig4"},
		{document: doc{"dig": "Instantiated", "logicalCloud": "Created"}, field: "given.dig"},
		{document: doc{"dig": "Terminated", "logicalCloud": "Terminated"}, field: "given.dig"},
		{document: doc{"dig": "Instantiated", "logicalCloud": "Instantiated", "clusterLabel": "absent"}, field: "given.dig"},
		{document: doc{"logicalCloud": "Instantiated", "cluster": "absent"}, field: "given.logicalCloud"},
		{document: doc{"clusterProvider": "absent", "cluster": "Created"}, field: "given.cluster"},
		{document: doc{"cluster": "absent", "clusterLabel": "Created"}, field: "given.clusterLabel"},
		{document: doc{"logicalCloud": "Approved"}, field: "given.logicalCloud"},
		{document: doc{"clusterProvider": "Instantiated"}, field: "given.clusterProvider"},
	} {
		got, err := ParseGiven(test.document)
		if test.field != "" {
			var field document.Problem
			if !errors.As(err, &field) || field.Field != test.field || field.Message == "" || field.Remedy == "" {
				t.Errorf("%v: error %v, want one of field %s with a remedy", test.document, err, test.field)
			}
			continue
		}
		if err != nil || got.Full() != test.want {
			t.Errorf("%v: %v, %v, want %v", test.document, got, err, test.want)
		}
	}
}

func TestGivenHas(t *testing.T) {
	given := Given{ClusterProvider: Absent, LogicalCloud: Created}
	want := map[Kind]bool{Project: true, LogicalCloud: true, ClusterReference: true}
	for _, r := range mustNames(t, "r", 1).Resources(Material{Apps: []string{"a"}}) {
		if given.Has(r.Kind) != want[r.Kind] {
			t.Errorf("Has(%s) = %t", r.Kind, !want[r.Kind])
		}
	}
}

// TestGivenIncludes: of each group there is what its own state says.
func TestGivenIncludes(t *testing.T) {
	given := Given{LogicalCloud: Instantiated, DIG: Approved, DIG3: Created}
	count := map[int]int{}
	for _, r := range mustNames(t, "r", 1).All(Material{Apps: []string{"a"}}) {
		if given.Includes(r) {
			count[r.Group]++
		}
	}
	// Six are shared, and each group has a composite app with an app, the profiles of
	// both, itself, its placement with that of the app, and its intent.
	if want := map[int]int{0: 6, 1: 8, 3: 8}; !maps.Equal(count, want) {
		t.Errorf("resources by group: %v, want %v", count, want)
	}
}
