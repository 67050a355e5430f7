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
			{Name: "kill", After: refs(t, "call.sent"), Fault: &plan.Fault{Kind: "PodChaos"}},
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
// "TIME skipped STEP" or "TIME trouble".
func record(t *testing.T, at int, text string) journal.Record {
	t.Helper()
	r := journal.Record{At: time.Duration(at), Text: "because"}
	switch {
	case text == "trouble":
		r.Kind = journal.Trouble
	case strings.HasPrefix(text, "skipped "):
		r.Kind, r.Step = journal.Skipped, strings.TrimPrefix(text, "skipped ")
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

func TestJudge(t *testing.T) {
	const (
		given = "given = passed"
		lost  = "call = passed connection-lost"
	)
	good := []string{given, "call.sent", "kill.created", "kill.down", "call.failed", lost, "back.passed", "back = passed", "final.passed", "final = passed"}
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
			[]string{given, "call.sent", "kill.created", "kill.down", "call.failed", lost, "back.failed", "back = failed", "skipped final"},
			verdict.Failed, "back: because",
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

func TestEqualTimesAreNoOrder(t *testing.T) {
	p := twoProbes(t)
	records := []journal.Record{record(t, 0, "call.sent"), record(t, 0, "kill.created"), record(t, 1, "call.failed")}
	if missing := verdict.Claims(p, records); !strings.Contains(missing[0].Missing, "kill.created came 0s before call.sent") {
		t.Errorf("%q", missing[0].Missing)
	}
}
