package emco

import (
	"errors"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

func TestFits(t *testing.T) {
	for _, c := range calls {
		if err := c.Fits(c.Given); err != nil && c.During == "" {
			t.Errorf("%s does not fit its own given: %v", c.Name, err)
		}
		for _, also := range c.Also {
			if err := c.Fits(also); err != nil {
				t.Errorf("%s does not fit %v: %v", c.Name, also, err)
			}
		}
	}
	for _, test := range []struct {
		call  string
		given Given
		field string // that is wrong; empty when it fits
	}{
		{"dig.instantiate", Given{LogicalCloud: Instantiated, DIG: Terminated}, ""},
		{"dig.instantiate", Given{LogicalCloud: Instantiated, DIG: Created}, "given.dig"},
		{"dig.instantiate", Given{LogicalCloud: Created, DIG: Approved}, "given.logicalCloud"},
		{"dig.instantiate", Given{}, "given.logicalCloud"},
		{"dig2.instantiate", Given{LogicalCloud: Instantiated, DIG: Approved}, "given.dig2"},
		{"dig2.instantiate", Given{LogicalCloud: Instantiated, DIG: Created, DIG2: Terminated}, ""},
		{"dig3.terminate", Given{LogicalCloud: Instantiated, DIG2: Instantiated, DIG3: Instantiated}, ""},
		{"dig.terminate", Given{LogicalCloud: Instantiated, DIG: Approved}, "given.dig"},
		{"dig.update", Given{LogicalCloud: Instantiated, DIG: Approved}, "given.dig"},
		{"dig.rollback", Given{LogicalCloud: Instantiated, DIG: Terminated}, ""},
		{"dig.stop", Given{LogicalCloud: Instantiated, DIG: Instantiated}, "given"},
		{"dig.stop-terminate", Given{LogicalCloud: Instantiated, DIG: Instantiated}, "given"},
		{"dig.approve", Given{LogicalCloud: Created, DIG: Created}, ""},
		{"dig.approve", Given{LogicalCloud: Instantiated, DIG: Instantiated}, "given.dig"},
		{"logical-cloud.instantiate", Given{LogicalCloud: Created, DIG: Approved}, ""},
		{"logical-cloud.instantiate", Given{LogicalCloud: Terminated}, ""},
		{"logical-cloud.instantiate", Given{LogicalCloud: Instantiated}, "given.logicalCloud"},
		{"logical-cloud.terminate", Given{LogicalCloud: Instantiated}, ""},
		{"logical-cloud.terminate", Given{LogicalCloud: Instantiated, DIG: Created}, "given.dig"},
		{"cluster-provider.create", Given{ClusterProvider: Absent, LogicalCloud: Created, DIG: Approved}, ""},
		{"cluster-provider.create", Given{}, "given.clusterProvider"},
		{"cluster.create", Given{ClusterProvider: Absent}, "given.clusterProvider"},
		{"cluster-label.create", Given{Cluster: Absent}, "given.cluster"},
	} {
		call, _ := CallNamed(test.call)
		err := call.Fits(test.given)
		wrong, ok := errors.AsType[document.Problem](err)
		if ok != (test.field != "") || ok != (err != nil) || ok && (wrong.Field != test.field || wrong.Remedy == "") {
			t.Errorf("%s in %v: %v, want %q", test.call, test.given, err, test.field)
		}
	}
}
