package main

import (
	"context"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/doctor"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
)

// oneAnswer is a plugin that has one answer to everything.
type oneAnswer sdk.Result

func (a oneAnswer) Ask(context.Context, sdk.Task, func(string)) (sdk.Result, error) {
	return sdk.Result(a), nil
}

// What dead runs left is not ok, and what is wedged fails.
func TestRemains(t *testing.T) {
	for name, test := range map[string]struct {
		result sdk.Result
		want   doctor.Finding
		fails  bool
	}{
		"nothing": {sdk.Result{Conclusion: sdk.Passed, Message: "nothing"}, doctor.Finding{State: doctor.OK, Message: "nothing"}, false},
		"resources": {
			sdk.Result{Conclusion: sdk.Passed, Message: "3 resources of r1", Evidence: map[string]string{"run r1, attempt 1": "projects/r1"}}, doctor.Finding{State: doctor.Warn, Message: "3 resources of r1"}, false,
		},
		"wedged": {
			sdk.Result{Conclusion: sdk.Passed, Evidence: map[string]string{"wedged": "logical cloud r1-lc", "blocks": "project r1"}},
			doctor.Finding{State: doctor.Fail, Subject: "logical cloud r1-lc", Message: "wedged: the system refuses everything about it, which blocks project r1"}, false,
		},
		"untold": {sdk.Result{Conclusion: sdk.Errored, Message: "no answer"}, doctor.Finding{}, true},
	} {
		got, err := remains(t.Context(), oneAnswer(test.result), time.Second)
		if (err != nil) != test.fails || err == nil && (got.State != test.want.State || got.Subject != test.want.Subject || got.Message != test.want.Message) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}
