package main

import (
	"fmt"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// scope says which resources a probe works on.
type scope int

const (
	named     scope = iota // those that flags, an anchor or resource files name
	ofRun                  // those of one run of emco-chaos
	ofAllRuns              // whatever carries the mark of a run
)

// action is what the command of a probe that changes EMCO adds.
type action struct {
	scope scope
	// plan says what the probe is about to do.
	plan func(arguments map[string]any, on probes.Subject) (string, error)
}

// actions has all kinds of probe that change EMCO.
var actions = map[string]action{
	"call":    {plan: planCall("POST %s, once")},
	"reissue": {plan: planCall("ask for the status, and unless it shows the call under way or done, POST %s until it is accepted")},
	"ensure": {scope: ofRun, plan: func(arguments map[string]any, on probes.Subject) (string, error) {
		given, _ := arguments["given"].(map[string]any)
		state, err := emco.ParseGiven(given)
		return fmt.Sprintf("make %s, until: %s", roots(on), state), err
	}},
	"teardown": {scope: ofRun, plan: func(_ map[string]any, on probes.Subject) (string, error) {
		return "terminate and remove " + roots(on) + ", as far as they carry the run's mark", nil
	}},
	"clean": {scope: ofAllRuns, plan: func(arguments map[string]any, _ probes.Subject) (string, error) {
		of := "any run of emco-chaos"
		if run, _ := arguments["run"].(string); run != "" {
			of = "the run " + run
		}
		return "terminate and remove everything that carries the mark of " + of, nil
	}},
}

// planCall makes the plan of a call, with its URL in the format.
func planCall(format string) func(map[string]any, probes.Subject) (string, error) {
	return func(arguments map[string]any, on probes.Subject) (string, error) {
		url, err := on.Client.URL(callIn(arguments).Request(on.Names, emco.Material{}))
		return fmt.Sprintf(format, url), err
	}
}

// roots names the two resources that all others of a run are below.
func roots(on probes.Subject) string {
	return fmt.Sprintf("%s and %s, with all that is below them", on.Names.Anchor("{project}"), on.Names.Anchor("{provider}"))
}
