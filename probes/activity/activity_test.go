package activity_test

import (
	"slices"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/activity"
)

func TestArguments(t *testing.T) {
	described := activity.Activity{Arguments: []activity.Argument{
		{Name: "state", Type: activity.Text}, {Name: "call", Type: activity.CallName}, {Name: "other", Type: activity.CallName},
	}}
	if got, found := described.First(activity.CallName); !found || got.Name != "call" {
		t.Errorf("the first call is %+v, %v", got, found)
	}
	if got, found := described.First(activity.Mapping); found {
		t.Errorf("there is a mapping: %+v", got)
	}
	if got := described.ArgumentNames(); !slices.Equal(got, []string{"state", "call", "other"}) {
		t.Errorf("%q", got)
	}
}
