package plan_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

func TestOutcomes(t *testing.T) {
	tests := []struct {
		outcome    string
		matched    []string // the expectations that it meets
		unanswered bool
	}{
		{"", []string{""}, true},
		{plan.Accepted, []string{"", plan.Accepted}, false},
		{"rejected 500", []string{"", plan.Rejected, "rejected 500"}, false},
		{plan.ConnectionLost, []string{"", plan.ConnectionLost}, true},
		{plan.TimedOut, []string{"", plan.TimedOut}, true},
		{plan.Refused, []string{"", plan.Refused}, false},
		{plan.DNSFailed, []string{"", plan.DNSFailed}, false},
		{plan.TLSFailed, []string{"", plan.TLSFailed}, false},
	}
	for _, test := range tests {
		for _, expected := range append(plan.Outcomes(), "", "rejected 500", "rejected 404") {
			if got, want := plan.Matches(expected, test.outcome), slices.Contains(test.matched, expected); got != want {
				t.Errorf("%q is expected and %q came: got %v", expected, test.outcome, got)
			}
		}
		if got := plan.Unanswered(test.outcome); got != test.unanswered {
			t.Errorf("%q may be unanswered: got %v", test.outcome, got)
		}
	}
}

func TestFind(t *testing.T) {
	p := inFlight()
	for _, name := range []string{plan.GivenStep, plan.TeardownStep, p.Steps[0].Name} {
		if step, found := p.Find(name); !found || step.Name != name {
			t.Errorf("%s: got %q, %v", name, step.Name, found)
		}
	}
	if step, found := p.Find("nothing"); found {
		t.Errorf("got %q", step.Name)
	}
	for _, step := range p.Steps {
		for _, end := range step.Ends() {
			if !step.Emits(end) {
				t.Errorf("%s ends with %s, which it cannot emit", step.Name, end)
			}
		}
	}
}

// A plan is JSON in journals. What is no event, claim or duration is refused.
func TestTexts(t *testing.T) {
	type texts struct {
		Ref   plan.Ref
		Claim plan.Claim
		Wait  plan.Duration
	}
	const sound = `{"Ref":"kill.down","Claim":"call.sent \u003c kill.created","Wait":"1m30s"}`
	var read texts
	if err := json.Unmarshal([]byte(sound), &read); err != nil {
		t.Fatal(err)
	}
	if written, err := json.Marshal(read); err != nil || string(written) != sound {
		t.Errorf("got %s, %v", written, err)
	}
	for text, want := range map[string]string{
		`{"Ref":"kill"}`: "STEP.EVENT", `{"Claim":"kill.down < "}`: "STEP.EVENT", `{"Wait":"soon"}`: "duration",
	} {
		if err := json.Unmarshal([]byte(text), &texts{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestStopsService(t *testing.T) {
	for _, test := range []struct {
		kind, summary, service string
		want                   bool
	}{
		{"PodChaos", "pod-kill rsync", "rsync", true},
		{"PodChaos", "pod-kill rsync", "sync", false},
		{"PodChaos", "pod-kill rsync", "orchestrator", false},
		{"NetworkChaos", "partition both between orchestrator and rsync", "rsync", false},
	} {
		fault := plan.Fault{Kind: test.kind, Summary: test.summary}
		if got := fault.StopsService(test.service); got != test.want {
			t.Errorf("%s %q stops %s: got %v", test.kind, test.summary, test.service, got)
		}
	}
}
