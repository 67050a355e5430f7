package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// judge is a probe that is asked again at the end of the run.
func judge(name string, options ...option) plan.Step {
	result := probe(name, options...)
	result.Activity.Recheck = true
	return result
}

// TestCheckFindsWhatCouldPassWithoutItsFaults: a run of a plan passes because of
// what was seen after its faults, or it is a control that has none.
func TestCheckFindsWhatCouldPassWithoutItsFaults(t *testing.T) {
	const (
		unwatched = "steps.kill.fault: no call and no probe waits for it; let one start after it: after: [kill.down]"
		unclaimed = "evidence: does not say that kill hit: kill.down comes in it before no event of a call or a probe that it was aimed at; " +
			"write evidence such as kill.down < back.passed"
		unheld = "evidence: does not say that hold hit: hold.injected comes in it before no event of a call or a probe that it was aimed at; "
		late   = "steps.kill.fault: comes only after what the run is judged by; let it come before, or look again after it"
	)
	place := call("call", expect("accepted"))
	final := judge("final", after("call.accepted"))
	back := probe("back", after("kill.ready"))
	for name, test := range map[string]struct {
		steps    []plan.Step
		evidence []string
		control  bool
		want     string
	}{
		"no fault": {
			steps: []plan.Step{place, final}, evidence: []string{"call.started < call.accepted"},
			want: "steps: no step puts a fault on anything; write one, or control: true if the run is to show what happens without",
		},
		"a control": {steps: []plan.Step{place, final}, evidence: []string{"call.started < call.accepted"}, control: true},
		"a control with a fault": {
			steps: []plan.Step{place, kill("kill", after("call.sent")), back}, evidence: []string{"kill.down < back.passed"}, control: true,
			want: "steps.kill.fault: stands in a control experiment; leave it out, or leave control: true out",
		},
		"a kill after the end":              {steps: []plan.Step{place, final, kill("kill", after("final.passed"))}, evidence: []string{"final.passed < kill.down"}, want: unwatched},
		"a kill that nothing waits for":     {steps: []plan.Step{place, final, kill("kill", after("call.sent"))}, evidence: []string{"kill.down < final.passed"}, want: unwatched},
		"a kill after the end, and a look":  {steps: []plan.Step{place, final, kill("kill", after("final.passed")), back}, evidence: []string{"kill.down < back.passed"}, want: late},
		"a kill after the end, by evidence": {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"final.passed < kill.down < back.passed"}, want: late},
		"a kill after the end, which is looked at again": {
			steps:    []plan.Step{place, final, kill("kill", after("final.passed")), judge("again", after("kill.ready"))},
			evidence: []string{"kill.down < again.passed"},
		},
		"a kill at a moment of its own": {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.down < back.passed"}},

		"evidence of others":              {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"call.sent < back.passed"}, want: unclaimed},
		"evidence that it was created":    {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.created < back.passed"}, want: unclaimed},
		"evidence that it was injected":   {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.injected < back.passed"}, want: unclaimed},
		"evidence that comes before it":   {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"call.accepted < kill.down"}, want: unclaimed},
		"evidence of itself alone":        {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.down < kill.ready"}, want: unclaimed},
		"evidence that something started": {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.down < back.started"}, want: unclaimed},
		"evidence in no order":            {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.down", "call.accepted"}, want: unclaimed},
		"no evidence":                     {steps: []plan.Step{place, final, kill("kill"), back}, want: unclaimed},
		"evidence in the triggers' order": {steps: []plan.Step{place, final, kill("kill"), back}, evidence: []string{"kill.down", "back.passed"}},
		"evidence of one of two": {
			steps:    []plan.Step{place, final, kill("kill"), kill("more", after("kill.ready")), probe("back", after("kill.ready", "more.ready"))},
			evidence: []string{"more.down < back.passed"}, want: unclaimed,
		},

		"a hold": {
			steps:    []plan.Step{hold("hold", until("call.accepted")), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
		},
		"a hold to the end": {
			steps:    []plan.Step{hold("hold"), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
		},
		"a hold that is over": {
			steps:    []plan.Step{hold("hold", until("before.passed")), probe("before"), call("call", after("hold.injected", "hold.removed"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
			want:     unheld + "write evidence such as hold.injected < call.accepted < hold.removed",
		},
		"a hold that may be over": {
			steps:    []plan.Step{hold("hold", until("before.passed")), probe("before"), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
			want:     unheld + "write evidence such as hold.injected < call.accepted < hold.removed",
		},
		"a hold for a time": {
			steps:    []plan.Step{hold("hold", lasting(time.Second)), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted < hold.removed"},
		},
		"a hold for a time that may be over": {
			steps:    []plan.Step{hold("hold", lasting(time.Second)), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
			want:     unheld + "write evidence such as hold.injected < call.accepted < hold.removed",
		},
		"a kill that a probe waits for among others": {
			steps:    []plan.Step{place, final, kill("kill"), probe("back", afterAny("kill.ready", "call.accepted"))},
			evidence: []string{"kill.down < back.passed"},
		},
		"a hold that ends with its injection": {
			steps:    []plan.Step{hold("hold", until("hold.injected")), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted"},
			want:     unheld + "write evidence such as hold.injected < call.accepted < hold.removed",
		},
		"a hold that gives way to another one": {
			steps: []plan.Step{
				hold("hold", until("next.injected")), call("call", after("hold.injected"), expect("accepted")),
				hold("next", after("call.sent"), until("call.accepted")), probe("back", after("next.removed")),
			},
			evidence: []string{"hold.injected < next.injected < hold.removed < call.accepted"},
		},
		"a hold that gives way to one that hits nothing": {
			steps: []plan.Step{
				hold("hold", until("next.injected")), call("call", after("hold.injected"), expect("accepted")),
				hold("next", after("call.started"), until("call.accepted")), probe("back", after("next.removed")),
			},
			evidence: []string{"hold.injected < next.injected < hold.removed"},
			want:     unheld + "write evidence such as hold.injected < call.accepted < hold.removed\n" + strings.ReplaceAll(unheld, "hold", "next") + "write evidence such as next.injected < back.passed < next.removed",
		},
		"a hold that was on by evidence": {
			steps:    []plan.Step{hold("hold", until("before.passed")), probe("before"), call("call", after("hold.injected"), expect("accepted"))},
			evidence: []string{"hold.injected < call.accepted < hold.removed"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := inFlight()
			p.Steps, p.Evidence, p.Control = test.steps, claims(test.evidence...), test.control
			if got := plan.Check(p).Error(); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
