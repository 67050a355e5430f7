package verdict_test

import (
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

func refs(t *testing.T, texts ...string) []plan.Ref {
	t.Helper()
	var list []plan.Ref
	for _, text := range texts {
		ref, err := plan.ParseRef(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, ref)
	}
	return list
}

// twoProbes is a plan of a call, a kill, and two probes one after the other.
func twoProbes(t *testing.T) *plan.Plan {
	t.Helper()
	probe := &plan.Activity{Name: "probe", Events: []string{"started", "passed", "failed"}, Ends: []string{"passed", "failed"}}
	p := &plan.Plan{
		Given:    plan.Step{Name: plan.GivenStep, Activity: probe},
		Teardown: plan.Step{Name: plan.TeardownStep, Activity: probe},
		Steps: []plan.Step{
			{Name: "call", Expect: "connection-lost", Otherwise: map[string]string{"rejected": "failed", "tls": "error"}, Activity: &plan.Activity{
				Name: "call", Events: []string{"started", "sent", "accepted", "rejected", "failed"}, Ends: []string{"accepted", "rejected", "failed"}}},
			{Name: "kill", After: refs(t, "call.sent"), Fault: &plan.Fault{Kind: "PodChaos", Summary: "pod-kill a"}},
			{Name: "back", After: refs(t, "call.failed"), Activity: probe},
			{Name: "final", After: refs(t, "back.passed"), Activity: probe},
		},
	}
	for _, text := range []string{"call.sent < kill.created < call.failed", "kill.down < back.passed"} {
		claim, err := plan.ParseClaim(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Evidence = append(p.Evidence, claim)
	}
	return p
}

// record reads "TIME STEP.EVENT", "TIME STEP = CONCLUSION OUTCOME",
// "skipped STEP", "recheck STEP = CONCLUSION", "disturbance SERVICE" or "trouble".
func record(t *testing.T, at int, text string) journal.Record {
	t.Helper()
	r := journal.Record{At: time.Duration(at), Text: "because"}
	switch {
	case text == "trouble":
		r.Kind = journal.Trouble
	case strings.HasPrefix(text, "skipped "):
		r.Kind, r.Step = journal.Skipped, strings.TrimPrefix(text, "skipped ")
	case strings.HasPrefix(text, "disturbance "):
		r.Kind, r.Service = journal.Disturbance, strings.TrimPrefix(text, "disturbance ")
	case strings.HasPrefix(text, "recheck "):
		r.Kind = journal.Recheck
		r.Step, r.Conclusion, _ = strings.Cut(strings.TrimPrefix(text, "recheck "), " = ")
	case strings.Contains(text, " = "):
		step, answer, _ := strings.Cut(text, " = ")
		r.Kind, r.Step = journal.Result, step
		r.Conclusion, r.Outcome, _ = strings.Cut(answer, " ")
	default:
		r.Kind = journal.Event
		r.Step, r.Event, _ = strings.Cut(text, ".")
	}
	return r
}

// TestDueAfterAnyOf: evidence of what waits for one of several events is due unless
// all of them come only after the step that failed.
func TestDueAfterAnyOf(t *testing.T) {
	history := []string{
		"given = passed", "call.sent", "kill.created", "kill.down", "call.failed", "call = passed connection-lost", "kill.ready", "back.failed", "back = failed",
	}
	for trigger, want := range map[string]verdict.Verdict{
		"back.passed": verdict.Failed, // final waits for that: nobody could look
		"kill.ready":  verdict.Inconclusive,
	} {
		p := twoProbes(t)
		p.Steps[3].After, p.Steps[3].AfterAny = nil, refs(t, trigger, "back.failed")
		claim, err := plan.ParseClaim("kill.down < final.passed")
		if err != nil {
			t.Fatal(err)
		}
		p.Evidence = append(p.Evidence, claim)
		var records []journal.Record
		for i, text := range history {
			records = append(records, record(t, i, text))
		}
		if got := verdict.Judge(p, records); got.Verdict != want {
			t.Errorf("%s: %s: %s, want %s", trigger, got.Verdict, got.Reason, want)
		}
	}
}

func TestJudge(t *testing.T) {
	const (
		given = "given = passed"
		lost  = "call = passed connection-lost"
	)
	good := []string{given, "call.sent", "kill.created", "kill.down", "call.failed", lost, "kill.ready", "back.passed", "back = passed", "final.passed", "final = passed"}
	without := func(drop ...string) []string {
		var list []string
		for _, text := range good {
			keep := true
			for _, d := range drop {
				keep = keep && text != d
			}
			if keep {
				list = append(list, text)
			}
		}
		return list
	}
	tests := []struct {
		name    string
		history []string
		verdict verdict.Verdict
		reason  string
	}{
		{"all as demanded", good, verdict.Passed, ""},
		{"trouble hides everything", append([]string{"trouble"}, good...), verdict.Error, "because"},
		{"the given state failed", []string{"given = failed"}, verdict.Error, "the given state was not reached: because"},
		{"the given state never came", nil, verdict.Error, "the given state was never reached"},
		{"the final probe failed", append(without("final.passed", "final = passed"), "final.failed", "final = failed"), verdict.Failed, "final: because"},
		{
			"the final probe failed, but nothing was seen down",
			append(without("kill.down", "final.passed", "final = passed"), "final.failed", "final = failed"),
			verdict.Inconclusive, `"kill.down < back.passed" is not there: kill.down never happened`,
		},
		{
			// The claim over back.passed is not due when back itself fails.
			"the first probe failed",
			[]string{given, "call.sent", "kill.created", "kill.down", "call.failed", lost, "kill.ready", "back.failed", "back = failed", "skipped final"},
			verdict.Failed, "back: because",
		},
		{
			"the first probe failed before the pod was Ready",
			[]string{given, "call.sent", "kill.created", "kill.down", "call.failed", lost, "back.failed", "back = failed", "skipped final"},
			verdict.Inconclusive, "back: because; but this says nothing, because what pod-kill a had stopped was not Ready yet after 0s: the cluster was slow, not the system",
		},
		{
			"the first probe failed, and the call broke before the kill",
			[]string{given, "call.sent", "call.failed", lost, "kill.created", "back.failed", "back = failed", "skipped final"},
			verdict.Inconclusive, "call.failed came",
		},
		{"the call had another outcome", []string{given, "call.sent", "kill.created", "call.accepted", "call = passed accepted"}, verdict.Inconclusive, "expected connection-lost, but it was accepted"},
		{"an outcome that is mapped to failed", []string{given, "call.sent", "kill.created", "call.rejected", "call = passed rejected 500"}, verdict.Inconclusive, "no evidence was due yet"},
		{"an outcome that is mapped to error", []string{given, "call.sent", "kill.created", "call.failed", "call = passed tls"}, verdict.Error, "expected connection-lost, but it was tls"},
		{"a probe that could not tell", append(without("final.passed", "final = passed"), "final = inconclusive"), verdict.Inconclusive, "final: because"},
		{"a probe that broke", append(without("final.passed", "final = passed"), "final = error"), verdict.Error, "final: because"},
		{"a skipped step never passes", append(without("final.passed", "final = passed"), "skipped final"), verdict.Inconclusive, "step final did not start: because"},
		{"a step that never ended", without("final.passed", "final = passed"), verdict.Inconclusive, "step final did not end"},
		{"evidence that never fired", without("kill.down"), verdict.Inconclusive, "kill.down never happened"},
		{"the earliest of two decides", append(without("back.passed", "back = passed", "final.passed", "final = passed"), "back = inconclusive", "final = failed"), verdict.Inconclusive, "back: because"},
		{"what comes after the attempt's end does not count", append(append([]string{}, good...), "teardown = error"), verdict.Passed, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var records []journal.Record
			for i, text := range test.history {
				records = append(records, record(t, i, text))
			}
			got := verdict.Judge(twoProbes(t), records)
			if got.Verdict != test.verdict || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("%s: %q, want %s: %q", got.Verdict, got.Reason, test.verdict, test.reason)
			}
			// The order of writing is not that of time, and does not matter.
			for i, j := 0, len(records)-1; i < j; i, j = i+1, j-1 {
				records[i], records[j] = records[j], records[i]
			}
			if again := verdict.Judge(twoProbes(t), records); again.Verdict != got.Verdict {
				t.Errorf("read backwards it is %s: %s", again.Verdict, again.Reason)
			}
		})
	}
}

// TestWhatComesBeside judges good histories with something more.
func TestWhatComesBeside(t *testing.T) {
	good := "given = passed,call.started,call.sent,kill.created,kill.down,call.failed,call = passed connection-lost,kill.ready,back.passed,back = passed,final.passed,final = passed"
	held := "given = passed,hold.injected,call.started,call.sent,"
	recheck := func(p *plan.Plan) { p.Steps[3].Activity = &plan.Activity{Ends: []string{"passed"}, Recheck: true} }
	hold := func(p *plan.Plan) {
		p.Steps = append(p.Steps, plan.Step{Name: "hold", Fault: &plan.Fault{Kind: "NetworkChaos", Summary: "partition a b"}})
		p.Steps[1].While = "call"
	}
	refusing := func(p *plan.Plan) {
		p.Steps[0].Expect, p.Steps[0].Activity.Service = plan.Refused, "a"
	}
	for _, test := range []struct {
		name    string
		plan    func(*plan.Plan)
		history string
		verdict verdict.Verdict
		reason  string
	}{
		{"a bystander", nil, good + ",disturbance b", verdict.Inconclusive, "b died too, at +0.0 s: because"},
		{"a bystander that is expected", func(p *plan.Plan) { p.Expected = []string{"b"} }, good + ",disturbance b", verdict.Passed, ""},
		{"a bystander hides no failure of the tool", nil, good + ",disturbance b,trouble", verdict.Error, "because"},
		{"a bystander before a probe that failed", nil, strings.Replace(good, "final = passed", "disturbance b,final = failed", 1), verdict.Inconclusive, "b died too"},
		{"it still holds", recheck, good + ",recheck final = passed", verdict.Passed, ""},
		{"it holds no longer", recheck, good + ",recheck final = failed", verdict.Failed, "final passed at +0.0 s and no longer holds: because"},
		{"it holds no longer, and the kill was never seen", recheck, strings.Replace(good, "kill.down,", "", 1) + ",recheck final = failed", verdict.Inconclusive, "kill.down never happened"},
		{"nobody asked whether it holds", recheck, good, verdict.Inconclusive, "step final was not asked at the end whether what it found still holds"},
		{"a call that was under way before is no reason not to ask", func(p *plan.Plan) {
			recheck(p)
			p.Steps[2].Activity = &plan.Activity{Ends: []string{"passed"}, Lasting: true}
		}, strings.Replace(good, "back.passed,back = passed,final.passed,final = passed", "back.started,final.passed,final = passed,back.passed,back = passed", 1),
			verdict.Inconclusive, "step final was not asked at the end"},
		{"a call since then is one", func(p *plan.Plan) {
			recheck(p)
			p.Steps[2].Activity = &plan.Activity{Ends: []string{"passed"}, Lasting: true}
		}, strings.Replace(good, "back.passed,back = passed,final.passed,final = passed", "final.passed,final = passed,back.started,back.passed,back = passed", 1),
			verdict.Passed, ""},
		{"a call since then that began before the result was written is one", func(p *plan.Plan) {
			recheck(p)
			p.Steps[2].Activity = &plan.Activity{Ends: []string{"passed"}, Lasting: true}
		}, strings.Replace(good, "back.passed,back = passed,final.passed,final = passed", "final.passed,back.started,final = passed,back.passed,back = passed", 1),
			verdict.Passed, ""},
		{"a failure needs no second look", recheck, strings.Replace(good, "final = passed", "final = failed", 1), verdict.Failed, "final: because"},
		{"a hold that holds nothing", hold, held + "call.accepted,call = passed accepted,hold.removed", verdict.Inconclusive, "call: the hold held nothing, or no longer: it was answered (because) after 0s while partition a b was on"},
		{"a hold that holds nothing, and is removed before that is written", hold, held + "call.accepted,hold.removed,call = passed accepted", verdict.Inconclusive, "call: the hold held nothing"},
		{"a failure before the pod is Ready, written after", nil, strings.Replace(good, "kill.ready,back.passed,back = passed,final.passed,final = passed", "back.failed,kill.ready,back = failed", 1), verdict.Inconclusive, "the cluster was slow"},
		{"an answer after the release", hold, held + "hold.removed,call.accepted,call = passed accepted", verdict.Inconclusive, "expected connection-lost, but it was accepted"},
		{"a service that gives up on what is held", func(p *plan.Plan) { hold(p); p.Steps[0].Otherwise = nil }, held + "call.rejected,call = passed rejected 500,hold.removed", verdict.Inconclusive, "expected connection-lost, but it was rejected 500"},
		{"an answer of the dead", hold, held + "kill.created,kill.down,call.accepted,call = passed accepted", verdict.Inconclusive, "call: something in front of the service sent the call again: it was answered (because) 0s after pod-kill a had taken the service down; point the target at the service itself"},
		{"an answer for the dead", hold, held + "kill.created,kill.down,call.rejected,call = passed rejected 503", verdict.Inconclusive, "call: something in front of the service answered for it: it was answered (because)"},
		{"an answer of the dead, after what could not tell because of it", hold, held + "kill.created,kill.down,back = inconclusive,kill.ready,call.accepted,call = passed accepted", verdict.Inconclusive, "call: something in front of the service sent the call again"},
		{"a connection to the dead", refusing, "given = passed,kill.down,call.started,call.connected,call.accepted,call = passed accepted", verdict.Inconclusive, "call: something in front of the service took a connection 0s after pod-kill a had taken the service down, and may answer for it or send requests again; point the target at the service itself"},
		{"a connection to the dead is no failure", func(p *plan.Plan) {
			refusing(p)
			p.Steps[0].Otherwise = map[string]string{"accepted": "failed"}
			p.Evidence = nil
		}, "given = passed,kill.down,call.started,call.connected,call.accepted,call = passed accepted", verdict.Inconclusive, "call: something in front of the service took a connection"},
		{"a connection to the dead, after one before", refusing, "given = passed,call.started,call.connected,kill.down,call.connected,call = inconclusive", verdict.Inconclusive, "call: something in front of the service took a connection"},
		{"a connection before it was down", refusing, "given = passed,call.started,call.connected,kill.down,call.accepted,call = passed accepted", verdict.Inconclusive, "expected refused, but it was accepted"},
		{"a connection after it was back", refusing, "given = passed,kill.down,kill.ready,call.started,call.connected,call.accepted,call = passed accepted", verdict.Inconclusive, "expected refused, but it was accepted"},
		{"a connection after it was let go", refusing, "given = passed,kill.down,kill.removed,call.started,call.connected,call.accepted,call = passed accepted", verdict.Inconclusive, "expected refused, but it was accepted"},
		{"a connection to another service", func(p *plan.Plan) { refusing(p); p.Steps[0].Activity.Service = "b" }, "given = passed,kill.down,call.started,call.connected,call.accepted,call = passed accepted", verdict.Inconclusive, "expected refused, but it was accepted"},
		{"an activity that has an event down", func(p *plan.Plan) { p.Steps[2].While = "call" }, "given = passed,call.started,back.down,call.accepted,call = passed accepted", verdict.Inconclusive, "expected connection-lost"},
		{"a failure after an activity's event down", nil, strings.Replace(good, "final.passed,final = passed", "back.down,final = failed", 1), verdict.Failed, "final: because"},
		{"a failure while the outage is still on", func(p *plan.Plan) { p.Steps[1].Until = refs(t, "back.failed") }, strings.Replace(good, "kill.ready,back.passed,back = passed,final.passed,final = passed", "back.failed,back = failed,kill.removed,kill.ready", 1), verdict.Failed, "back: because"},
		{"a failure after its end", func(p *plan.Plan) { p.Steps[1].Until = refs(t, "call.failed") }, strings.Replace(good, "kill.ready,back.passed,back = passed,final.passed,final = passed", "kill.removed,back.failed,back = failed,kill.ready", 1), verdict.Inconclusive, "the cluster was slow"},
		{"a failure of a step that ends with the outage", func(p *plan.Plan) { p.Steps[2].Until = refs(t, "kill.ready") }, strings.Replace(good, "kill.ready,back.passed,back = passed,final.passed,final = passed", "back.failed,back = failed", 1), verdict.Failed, "back: because"},
		{"a plan without evidence", func(p *plan.Plan) { p.Evidence = nil }, good, verdict.Inconclusive, "the plan demands nothing"},
		{"one that says that it wants no fault, and has one", func(p *plan.Plan) { p.Control, p.Evidence = true, nil }, good, verdict.Inconclusive, "the plan demands nothing"},
		{"one without a fault that wants none", func(p *plan.Plan) { p.Control, p.Evidence, p.Steps = true, nil, p.Steps[2:] }, good, verdict.Passed, ""},
		{"a plan without a step", func(p *plan.Plan) { p.Control, p.Steps, p.Evidence = true, nil, nil }, good, verdict.Inconclusive, "the plan demands nothing"},
		{"a failure without a fault that wants none", func(p *plan.Plan) { p.Control, p.Evidence = true, nil }, "given = passed,back = failed", verdict.Failed, "back: because"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := twoProbes(t)
			if test.plan != nil {
				test.plan(p)
			}
			var records []journal.Record
			for i, text := range strings.Split(test.history, ",") {
				records = append(records, record(t, i, text))
			}
			if got := verdict.Judge(p, records); got.Verdict != test.verdict || !strings.Contains(got.Reason, test.reason) {
				t.Errorf("%s: %q, want %s: %q", got.Verdict, got.Reason, test.verdict, test.reason)
			}
		})
	}
}

func TestSaid(t *testing.T) {
	wedge := map[string]string{"wedged": "projects/p/dig", "blocks": "projects/p", "tried": "GET: 200; DELETE: 500", "status": "no state"}
	for text, want := range map[string]string{
		"projects/p/dig is wedged: GET: 200; DELETE: 500": "projects/p/dig is wedged: GET: 200; DELETE: 500; it blocks projects/p",
		"was not accepted": "was not accepted; wedged: projects/p/dig; tried: GET: 200; DELETE: 500; it blocks projects/p",
	} {
		if got := verdict.Said(journal.Record{Text: text, Evidence: wedge}); got != want {
			t.Errorf("%s", got)
		}
	}
	if got := verdict.Said(journal.Record{Text: "fine", Evidence: map[string]string{"status": "Instantiated"}}); got != "fine" {
		t.Errorf("%s", got)
	}
}

func TestEqualTimesAreNoOrder(t *testing.T) {
	p := twoProbes(t)
	records := []journal.Record{record(t, 0, "call.sent"), record(t, 0, "kill.created"), record(t, 1, "call.failed")}
	if missing := verdict.Read(p, records).Claims(); !strings.Contains(missing[0].Missing, "kill.created came 0s before call.sent") {
		t.Errorf("%q", missing[0].Missing)
	}
}
