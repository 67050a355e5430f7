package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func refs(texts ...string) []plan.Ref {
	var list []plan.Ref
	for _, text := range texts {
		ref, err := plan.ParseRef(text)
		if err != nil {
			panic(err)
		}
		list = append(list, ref)
	}
	return list
}

func claims(texts ...string) []plan.Claim {
	var list []plan.Claim
	for _, text := range texts {
		claim, err := plan.ParseClaim(text)
		if err != nil {
			panic(err)
		}
		list = append(list, claim)
	}
	return list
}

type option func(*plan.Step)

func after(events ...string) option { return func(s *plan.Step) { s.After = refs(events...) } }
func afterAny(events ...string) option {
	return func(s *plan.Step) { s.AfterAny = refs(events...) }
}
func lasting(d time.Duration) option { return func(s *plan.Step) { s.For = plan.Duration(d) } }
func until(events ...string) option  { return func(s *plan.Step) { s.Until = refs(events...) } }
func while(step string) option       { return func(s *plan.Step) { s.While = step } }
func expect(outcome string) option   { return func(s *plan.Step) { s.Expect = outcome } }
func timeout(d time.Duration) option { return func(s *plan.Step) { s.Timeout = plan.Duration(d) } }
func delay(d time.Duration) option   { return func(s *plan.Step) { s.Delay = plan.Duration(d) } }
func otherwise(outcome, verdict string) option {
	return func(s *plan.Step) { s.Otherwise = map[string]string{outcome: verdict} }
}

func step(name string, options []option) plan.Step {
	result := plan.Step{Name: name, Timeout: plan.Duration(time.Minute)}
	for _, option := range options {
		option(&result)
	}
	return result
}

func call(name string, options ...option) plan.Step {
	result := step(name, options)
	result.Activity = &plan.Activity{
		Name:   "call",
		Events: []string{"started", "sent", "accepted", "rejected", "failed"},
		Ends:   []string{"accepted", "rejected", "failed"},
	}
	return result
}

func probe(name string, options ...option) plan.Step {
	result := step(name, options)
	result.Activity = &plan.Activity{
		Name:   "probe",
		Events: []string{"started", "passed", "failed"},
		Ends:   []string{"passed", "failed"},
	}
	return result
}

func faultStep(kind, action, name string, options []option) plan.Step {
	result := step(name, options)
	result.Fault = &plan.Fault{Kind: kind, Action: action, Object: json.RawMessage(`{}`)}
	return result
}

func kill(name string, options ...option) plan.Step {
	return faultStep("PodChaos", "pod-kill", name, options)
}

func failure(name string, options ...option) plan.Step {
	return faultStep("PodChaos", "pod-failure", name, options)
}

func hold(name string, options ...option) plan.Step {
	return faultStep("NetworkChaos", "partition", name, options)
}

// inFlight is a sound plan: the call is held, and killed while it hangs.
func inFlight() *plan.Plan {
	given, teardown := probe(plan.GivenStep), probe(plan.TeardownStep)
	return &plan.Plan{
		Experiment: "sample", Attempts: 1, Given: given, Teardown: teardown,
		Steps: []plan.Step{
			hold("hold", until("kill.ready")),
			call("call", after("hold.injected"), expect("connection-lost")),
			kill("kill", after("call.sent"), delay(time.Second), while("call")),
			probe("back", after("call.failed", "hold.removed")),
		},
		Evidence: claims("hold.injected < call.sent < kill.created < call.failed", "kill.down < back.passed"),
	}
}

// change replaces the step of that name, or adds it.
func change(p *plan.Plan, changed plan.Step) {
	at := slices.IndexFunc(p.Steps, func(s plan.Step) bool { return s.Name == changed.Name })
	if at < 0 {
		p.Steps = append(p.Steps, changed)
		return
	}
	p.Steps[at] = changed
}

// claim adds evidence.
func claim(p *plan.Plan, texts ...string) { p.Evidence = append(p.Evidence, claims(texts...)...) }

func TestCheckFindsNothingInASoundPlan(t *testing.T) {
	if problems := plan.Check(inFlight()); len(problems) > 0 {
		t.Errorf("problems in a sound plan:\n%v", problems)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name    string
		change  func(*plan.Plan)
		problem string
	}{
		{"no steps", func(p *plan.Plan) { p.Steps, p.Evidence = nil, nil }, "steps: there is no step"},
		{"experiment's name", func(p *plan.Plan) { p.Experiment = "In Flight" }, `experiment: "In Flight" is not a name`},
		{"attempts", func(p *plan.Plan) { p.Attempts = 0 }, "attempts: 0 attempts cannot be made"},
		{"no given", func(p *plan.Plan) { p.Given = plan.Step{} }, "given: is not an activity of that name"},
		{"given waits", func(p *plan.Plan) { p.Given.After = refs("call.sent") }, "given: waits for events"},
		{"step's name", func(p *plan.Plan) { change(p, probe("notFinal")) }, `steps.notFinal: "notFinal" cannot be the name of a step`},
		{"long name", func(p *plan.Plan) { change(p, probe(strings.Repeat("a", plan.MaxStepName+1))) }, "cannot be the name of a step"},
		{"reserved name", func(p *plan.Plan) { change(p, probe("given")) }, "steps.given: every plan has a given of its own"},
		{"two of a name", func(p *plan.Plan) { p.Steps = append(p.Steps, probe("back")) }, "steps.back: two steps have this name"},
		{"no timeout", func(p *plan.Plan) { change(p, probe("more", timeout(0))) }, "steps.more.timeout: 0s is not a time to wait"},
		{"endless timeout", func(p *plan.Plan) { change(p, probe("more", timeout(100*time.Hour))) }, "steps.more.timeout: 100h0m0s is not a time to wait"},
		{"negative delay", func(p *plan.Plan) { change(p, probe("more", delay(-time.Second))) }, "steps.more.delay: -1s cannot be waited for"},
		{"neither", func(p *plan.Plan) { change(p, step("more", []option{})) }, "steps.more: is not exactly one of a fault and an activity"},
		{"fault without object", func(p *plan.Plan) {
			s := kill("more")
			s.Fault.Object = json.RawMessage(`[1`)
			change(p, s)
		}, "steps.more.fault: its object is not a JSON object"},
		{"activity without end", func(p *plan.Plan) {
			s := probe("more")
			s.Activity.Ends = nil
			change(p, s)
		}, "steps.more: its activity has no event that ends it"},
		{"activity ends with what it does not emit", func(p *plan.Plan) {
			s := probe("more")
			s.Activity.Ends = []string{"over"}
			change(p, s)
		}, `steps.more: its activity cannot end with "over"`},
		{"activity does not start", func(p *plan.Plan) {
			s := probe("more")
			s.Activity.Events = []string{"passed", "failed"}
			change(p, s)
		}, "steps.more: its activity does not emit started"},

		{"unknown step", func(p *plan.Plan) { change(p, probe("more", after("kil.created"))) },
			`steps.more.after[0]: there is no step "kil"; did you mean kill?`},
		{"unknown event", func(p *plan.Plan) { change(p, probe("more", after("kill.passed"))) },
			`steps.more.after[0]: kill does not emit "passed"; use one of: created, down, injected, ready, removed, rescheduled`},
		{"a network fault stops nothing", func(p *plan.Plan) { change(p, probe("more", after("hold.down"))) },
			`steps.more.after[0]: hold does not emit "down"`},
		{"twice", func(p *plan.Plan) { change(p, probe("more", after("kill.down", "kill.down"))) },
			"steps.more.after[1]: kill.down is there twice"},
		{"after given", func(p *plan.Plan) { change(p, probe("more", after("given.passed"))) },
			"steps.more.after[0]: given.passed is no event to wait for"},
		{"removed only at the end", func(p *plan.Plan) { change(p, probe("more", after("kill.removed"))) },
			"steps.more.after[0]: kill has no until, so kill.removed comes only at the end of the run"},

		{"deadlock of until and after", func(p *plan.Plan) { change(p, hold("hold", until("back.passed"))) },
			"steps.hold.until[0]: a deadlock: hold.removed waits until back.passed, back.passed comes after back.started, back.started comes after hold.removed"},
		{"deadlock of two steps", func(p *plan.Plan) {
			change(p, probe("one", after("two.passed")))
			change(p, probe("two", after("one.passed")))
		}, "steps.one.after[0]: a deadlock: one.started comes after two.passed, two.passed comes after two.started, two.started comes after one.passed, one.passed comes after one.started"},
		{"waits for itself", func(p *plan.Plan) { change(p, probe("more", after("more.started"))) },
			"steps.more.after[0]: a deadlock: more.started comes after more.started"},
		{"removed until removed", func(p *plan.Plan) { change(p, hold("more", until("more.removed"))) },
			"steps.more.until[0]: a deadlock: more.removed waits until more.removed"},
		{"pod-failure until ready", func(p *plan.Plan) { change(p, failure("more", until("more.ready"))) },
			"steps.more.until[0]: a deadlock: more.ready comes after more.removed, more.removed waits until more.ready"},

		{"two ends", func(p *plan.Plan) { change(p, probe("more", after("back.passed", "back.failed"))) },
			"steps.more.after: can never be met: it needs back.passed and back.failed, and only one of them comes"},
		{"two ends, far away", func(p *plan.Plan) {
			change(p, probe("one", after("back.passed")))
			change(p, probe("two", after("one.passed")))
			change(p, probe("three", after("two.passed", "back.failed")))
		}, "steps.three.after: can never be met: it needs back.passed and back.failed"},

		{"while itself", func(p *plan.Plan) { change(p, call("call", while("call"))) }, "steps.call.while: a step cannot wait for itself"},
		{"while a fault", func(p *plan.Plan) { change(p, probe("more", while("kill"))) }, "steps.more.while: kill is a fault"},
		{"while nothing", func(p *plan.Plan) { change(p, probe("more", while("cal"))) }, `steps.more.while: there is no step "cal"; did you mean call?`},
		{"while what is over", func(p *plan.Plan) { change(p, probe("more", after("call.failed"), while("call"))) },
			"steps.more.while: can never be met: the step starts after call.failed, when call is over"},
		{"while what may not have begun", func(p *plan.Plan) { change(p, probe("more", after("hold.injected"), while("call"))) },
			"steps.more.while: call need not have started when this step starts; write an event of call, such as call.started, into after"},

		{"unknown outcome", func(p *plan.Plan) { change(p, call("more", expect("lost"))) }, `steps.more.expect: "lost" is not an outcome`},
		{"outcome's code", func(p *plan.Plan) { change(p, call("more", expect("rejected 5000"))) }, `steps.more.expect: "rejected 5000" is not an outcome`},
		{"a fault's outcome", func(p *plan.Plan) { change(p, kill("more", expect("accepted"))) }, "steps.more.expect: a fault has no outcome"},
		{"otherwise alone", func(p *plan.Plan) { change(p, call("more", otherwise("refused", "failed"))) }, "steps.more.otherwise: stands without expect"},
		{"otherwise the same", func(p *plan.Plan) { change(p, call("more", expect("refused"), otherwise("refused", "failed"))) },
			"steps.more.otherwise.refused: is the outcome that is expected"},
		{"otherwise passed", func(p *plan.Plan) { change(p, call("more", expect("accepted"), otherwise("refused", "passed"))) },
			`steps.more.otherwise.refused: "passed" is not what a run can be made`},
		{"waits for what is not expected", func(p *plan.Plan) { change(p, probe("more", after("call.accepted"))) },
			"steps.more.after[0]: call expects connection-lost, and then call.accepted never comes"},

		{"otherwise beside any", func(p *plan.Plan) { change(p, call("more", expect("any"), otherwise("refused", "failed"))) },
			"steps.more.otherwise: stands beside expect: any, and no outcome is another one"},
		{"waits for one of any outcome", func(p *plan.Plan) {
			change(p, call("other", expect("any")))
			change(p, probe("more", after("other.accepted")))
		}, "steps.more.after[0]: other expects any outcome, and other.accepted need not come; write all that it can end with into afterAny"},
		{"claim over one of any outcome", func(p *plan.Plan) {
			change(p, call("other", expect("any")))
			p.Evidence = claims("other.sent < other.accepted")
		}, "evidence[0]: other expects any outcome, and other.accepted need not come; claim what comes whatever the outcome, or expect one"},

		{"one of what is not there", func(p *plan.Plan) { change(p, probe("more", afterAny("back.passed", "bak.failed"))) },
			`steps.more.afterAny[1]: there is no step "bak"; did you mean back?`},
		{"one of what never comes", func(p *plan.Plan) { change(p, probe("more", afterAny("call.failed", "call.accepted"))) },
			"steps.more.afterAny[1]: call expects connection-lost, and then call.accepted never comes; leave it out"},
		{"one of what is waited for anyway", func(p *plan.Plan) { change(p, probe("more", after("kill.down"), afterAny("kill.down", "kill.ready"))) },
			"steps.more.afterAny[0]: kill.down is there twice"},
		{"deadlock by one of several", func(p *plan.Plan) { change(p, probe("more", afterAny("kill.down", "more.passed"))) },
			"steps.more.afterAny[1]: a deadlock: more.started comes after more.passed"},
		{"claim against the start of both", func(p *plan.Plan) {
			change(p, probe("more", afterAny("back.passed", "back.failed")))
			p.Evidence = claims("more.started < back.started")
		}, "evidence[0]: can never hold: more.started < back.started, and more.started comes after back.started"},

		{"a call that stays on", func(p *plan.Plan) { change(p, call("call", lasting(time.Second))) }, "steps.call.for: a call or a probe does not stay on"},
		{"a kill that stays on", func(p *plan.Plan) { change(p, kill("kill", lasting(time.Second))) }, "steps.kill.for: a pod-kill is over at once"},
		{"for a time and until", func(p *plan.Plan) { change(p, hold("hold", until("kill.ready"), lasting(time.Second))) }, "steps.hold.for: stands beside until"},
		{"for too long", func(p *plan.Plan) { change(p, hold("hold", lasting(100*time.Hour))) }, "steps.hold.for: 100h0m0s is not a time to stay on"},
		{"claim before what stays on is on", func(p *plan.Plan) {
			change(p, hold("hold", lasting(time.Second)))
			p.Evidence = claims("hold.removed < hold.injected")
		}, "evidence[0]: can never hold: hold.removed < hold.injected, and hold.removed comes after hold.injected"},

		{"claim over nothing", func(p *plan.Plan) { p.Evidence = []plan.Claim{{}} }, "evidence[0]: names no event"},
		{"claim over an unknown event", func(p *plan.Plan) { p.Evidence = claims("hold.down") }, `evidence[0]: hold does not emit "down"`},
		{"claim over the teardown", func(p *plan.Plan) { p.Evidence = claims("teardown.passed") }, "evidence[0]: teardown.passed comes after the evidence was looked at"},
		{"claim over the given, late", func(p *plan.Plan) { p.Evidence = claims("kill.down < given.passed") }, "evidence[0]: can never hold: given.passed comes before all steps; write it first"},
		{"claim over itself", func(p *plan.Plan) { p.Evidence = claims("kill.down < kill.down") }, "evidence[0]: kill.down cannot come before itself"},
		{"claim against a trigger", func(p *plan.Plan) { p.Evidence = claims("back.started < hold.removed") },
			"evidence[0]: can never hold: back.started < hold.removed, and back.started comes after hold.removed"},
		{"claim against triggers far away", func(p *plan.Plan) { p.Evidence = claims("kill.ready < hold.injected") },
			"evidence[0]: can never hold: kill.ready < hold.injected, and kill.ready comes after kill.created, kill.created comes after call.sent, call.sent comes after call.started, call.started comes after hold.injected"},
		{"claim against until", func(p *plan.Plan) { p.Evidence = claims("hold.removed < kill.ready") },
			"evidence[0]: can never hold: hold.removed < kill.ready, and hold.removed waits until kill.ready"},
		{"claim against while", func(p *plan.Plan) { p.Evidence = claims("call.failed < kill.created") },
			"evidence[0]: can never hold: call.failed < kill.created, and call.failed comes after kill.created"},
		{"claim against an end", func(p *plan.Plan) { p.Evidence = claims("call.failed < call.sent") },
			"evidence[0]: can never hold: call.failed < call.sent, and call.failed comes after call.sent"},
		{"claim against another claim", func(p *plan.Plan) { p.Evidence = claims("kill.down < call.failed", "call.failed < kill.down") },
			"evidence[1]: can never hold: call.failed < kill.down, and call.failed is claimed after kill.down"},
		{"claim against the end of the run", func(p *plan.Plan) { p.Evidence = claims("kill.removed < back.passed") },
			"evidence[0]: can never hold: kill.removed < back.passed, and kill.removed comes at the end of the run, after back.passed"},
		{"claims need two ends", func(p *plan.Plan) { p.Evidence = claims("back.passed", "back.failed") },
			"evidence[1]: can never hold: the evidence needs back.passed and back.failed"},
		{"claim over what is not expected", func(p *plan.Plan) { p.Evidence = claims("call.accepted < kill.down") },
			"evidence[0]: can never hold: call expects connection-lost, and then call.accepted never comes"},
		{"too many steps", func(p *plan.Plan) {
			for i := range 200 {
				p.Steps = append(p.Steps, probe(fmt.Sprintf("step-%d", i)))
			}
		}, "steps: has 204 steps, and 100 is the limit"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := inFlight()
			test.change(p)
			problems := plan.Check(p)
			if !strings.Contains(problems.Error(), test.problem) {
				t.Errorf("got\n%v\nwant\n%s", problems, test.problem)
			}
			if again := plan.Check(p); again.Error() != problems.Error() {
				t.Errorf("told otherwise the second time:\n%v\nand first\n%v", again, problems)
			}
		})
	}
}

// What is fine must not be refused.
func TestCheckAllows(t *testing.T) {
	tests := []struct {
		name   string
		change func(*plan.Plan)
	}{
		{"until of two ends", func(p *plan.Plan) {
			change(p, hold("more", until("back.passed", "back.failed")))
			change(p, probe("look", after("more.injected")))
			claim(p, "more.injected < back.passed")
		}},
		{"an unexpected end that otherwise names", func(p *plan.Plan) {
			change(p, call("other", expect("accepted"), otherwise("refused", "failed")))
			change(p, probe("more", after("other.failed")))
		}},
		{"removed at the end, claimed last", func(p *plan.Plan) { claim(p, "back.passed < kill.removed") }},
		{"ready after removed", func(p *plan.Plan) {
			change(p, failure("more", until("back.passed")))
			change(p, probe("look", after("more.down")))
			claim(p, "more.removed < more.ready", "more.down < look.passed")
		}},
		{"one of two ends", func(p *plan.Plan) {
			change(p, call("other", expect("any"), after("kill.down")))
			change(p, probe("more", afterAny("other.accepted", "other.failed", "other.rejected")))
			claim(p, "other.sent < more.passed")
		}},
		{"one of two, claimed against the other", func(p *plan.Plan) {
			change(p, probe("more", afterAny("back.passed", "kill.ready")))
			claim(p, "more.started < back.passed")
		}},
		{"removed after a time", func(p *plan.Plan) {
			change(p, hold("more", lasting(time.Second)))
			change(p, probe("look", after("more.removed")))
			claim(p, "more.injected < call.failed < more.removed < look.passed")
		}},
		{"given as evidence", func(p *plan.Plan) { claim(p, "given.passed < call.sent") }},
		{"any rejection", func(p *plan.Plan) { change(p, call("more", expect("rejected"), otherwise("rejected 500", "error"))) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := inFlight()
			test.change(p)
			if problems := plan.Check(p); len(problems) > 0 {
				t.Errorf("got\n%v", problems)
			}
		})
	}
}

func TestCheckSaysNothingOfUnreadSteps(t *testing.T) {
	p := inFlight()
	change(p, plan.Step{Name: "kill", After: refs("call.sent"), Timeout: plan.Duration(time.Minute)})
	if problems := plan.Check(p, "kill"); len(problems) > 0 {
		t.Errorf("got\n%v", problems)
	}
}

func FuzzCheck(f *testing.F) {
	data, err := json.Marshal(inFlight())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"steps":[{"name":"a","after":["a.started"],"while":"a","until":["a.removed"]},{}],"evidence":["a.b < c.d"]}`))
	f.Add([]byte(`{"given":{"name":"given"},"steps":[{"name":"","activity":{"events":[""],"ends":["",""]}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p plan.Plan
		if err := json.Unmarshal(data, &p); err != nil {
			return
		}
		for _, problem := range plan.Check(&p) {
			if problem.Message == "" || problem.Remedy == "" {
				t.Errorf("a problem without words: %+v", problem)
			}
		}
	})
}
