package language_test

import (
	"encoding/json"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/sdk/language"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

func TestDescribe(t *testing.T) {
	catalogue := scenario.Catalogue{Activities: []activity.Activity{{Name: "counted", Probe: true}}}
	experiments := []sdk.Experiment{{Name: "one", Parameters: []sdk.Parameter{
		{Name: "call", Type: activity.CallName, Default: "add"}, {Name: "service", Type: activity.ServiceName, Follows: "call"},
	}}}
	got := language.Describe("counter", "1.2.3", catalogue, experiments)
	if got.Name != "counter" || got.Version != "1.2.3" || len(got.Activities) != 1 || !json.Valid(got.Schema) {
		t.Errorf("%+v", got)
	}
	if parameters := got.Experiments[0].Parameters; parameters[0].Default != "add" || parameters[1].Default != "as call has it" {
		t.Errorf("%+v", parameters)
	}
}
