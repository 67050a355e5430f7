package main

import (
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/experiments/scenario"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// service is the one service that this plugin knows.
const service = "counter"

// catalogue is what experiments can say: the calls, the probes, and what
// brings about the given and takes it back.
func catalogue() scenario.Catalogue {
	passes := []string{"passed", "failed"}
	events := []string{plan.Started, "passed", "failed"}
	return scenario.Catalogue{
		Call:     "call",
		Calls:    []scenario.Call{{Name: "add", Service: service, Summary: "POST add"}},
		Given:    "fill",
		Teardown: "drop",
		Activities: []activity.Activity{
			{
				Name: "call", Summary: "makes one call, once; whatever becomes of it is its outcome",
				Arguments: []activity.Argument{{Name: "call", Type: activity.CallName, Required: true, Description: "the call"}},
				Events:    []string{plan.Started, plan.Sent, plan.Accepted, plan.Rejected, plan.Failed},
				Ends:      []string{plan.Accepted, plan.Rejected, plan.Failed}, HasOutcome: true, Lasting: true,
			},
			{
				Name: "answers", Summary: "asks until the service answers", Probe: true, Events: events, Ends: passes,
				Arguments: []activity.Argument{{Name: "service", Type: activity.ServiceName, Required: true, Allowed: []string{service}, Description: "the service to ask"}},
			},
			{
				Name: "holds", Summary: "looks whether the run's counter has the value", Probe: true, Events: events, Ends: passes,
				Arguments: []activity.Argument{{Name: "value", Type: activity.Integer, Required: true, Description: "the value that it must have"}},
			},
			{
				Name: "fill", Summary: "makes the run's counter", Events: events, Ends: passes,
				Arguments: []activity.Argument{{Name: "value", Type: activity.Integer, Required: true, Description: "the value that it begins with"}},
			},
			{Name: "drop", Summary: "removes the run's counter", Events: events, Ends: passes},
			{Name: "clean", Summary: "removes the counters of dead runs", Events: events, Ends: passes},
		},
	}
}
