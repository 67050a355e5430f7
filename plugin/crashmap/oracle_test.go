package crashmap

import (
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// steps are those of a point's experiment, without its faults.
func steps() *plan.Plan {
	sent, broke := plan.Ref{Step: crashpoint.Call, Event: plan.Sent}, plan.Ref{Step: crashpoint.Call, Event: plan.Failed}
	compiled := &plan.Plan{
		Experiment: "point", Given: activity(plan.GivenStep), Teardown: activity(plan.TeardownStep),
		Evidence: []plan.Claim{{Refs: []plan.Ref{sent, broke}}},
	}
	for _, name := range []string{
		crashpoint.Before, crashpoint.Call, crashpoint.Look, crashpoint.Reissue, crashpoint.Final, crashpoint.Edge,
		crashpoint.Undo, crashpoint.Undone, crashpoint.EdgeAfter,
	} {
		step := activity(name)
		switch name {
		case crashpoint.Before:
		case crashpoint.Call:
			step.Expect = plan.ConnectionLost
		case crashpoint.Undo:
			step.Expect, step.Otherwise = plan.Accepted, map[string]string{plan.Rejected: plan.OtherwiseFailed}
			fallthrough
		default:
			step.After = []plan.Ref{broke}
		}
		compiled.Steps = append(compiled.Steps, step)
	}
	return compiled
}

func activity(name string) plan.Step {
	events := []string{plan.Started, plan.Sent, plan.Accepted, plan.Rejected, plan.Failed, "passed"}
	return plan.Step{Name: name, Activity: &plan.Activity{Name: name, Events: events, Ends: events[2:]}}
}

// told is a run in which all went well but for what is changed: the text, and the
// state and the edge of surveys.
type told struct {
	before, after View
	back          View   // when the edge is back; none if it was not away
	bad           string // the step that fails, and the text of it
	text          string
	progress      string
	left          string
	wedged        string
	accepted      bool // the call is answered, and nothing is killed
}

const on, off = "Deployment shop", "nothing"

func (r told) records() []journal.Record {
	at := time.Duration(0)
	records := []journal.Record{{Kind: journal.Attempt, Attempt: 1}}
	add := func(record journal.Record) {
		at += 10 * time.Millisecond
		record.At = at
		records = append(records, record)
	}
	add(journal.Record{Kind: journal.Result, Step: plan.GivenStep, Conclusion: "passed"})
	for _, step := range steps().Steps {
		result := journal.Record{Kind: journal.Result, Step: step.Name, Conclusion: "passed", Text: "as it must be", Evidence: map[string]string{}}
		survey := func(v View) {
			result.Evidence["state"], result.Evidence["edge"] = v.State, map[string]string{on: on}[v.Edge]
			result.Text = describe(v)
		}
		switch step.Name {
		case crashpoint.Before:
			survey(r.before)
		case crashpoint.Look:
			survey(r.after)
		case crashpoint.Call:
			add(journal.Record{Kind: journal.Event, Step: step.Name, Event: plan.Sent})
			result.Outcome = plan.ConnectionLost
			event := plan.Failed
			if r.accepted {
				result.Outcome, event = plan.Accepted, plan.Accepted
			} else {
				add(journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Created})
			}
			add(journal.Record{Kind: journal.Event, Step: step.Name, Event: event})
		case crashpoint.Undo:
			result.Outcome = plan.Accepted
		}
		if step.Name == r.bad {
			result.Conclusion, result.Text = "failed", r.text
			result.Evidence["progress"] = r.progress
			if r.wedged != "" {
				result.Evidence["wedged"] = r.wedged
			}
			if step.Name == crashpoint.Undo {
				result.Conclusion, result.Outcome = "passed", "rejected 500"
			}
		}
		add(result)
		if step.Name == r.bad {
			break
		}
	}
	if r.back != (View{}) {
		add(journal.Record{Kind: journal.Result, Step: crashpoint.EdgeBack, Conclusion: "passed", Text: describe(r.back), Evidence: map[string]string{"state": r.back.State, "edge": r.back.Edge}})
	}
	if r.left != "" {
		add(journal.Record{Kind: journal.Left, Step: plan.TeardownStep, Text: r.left})
	}
	return records
}

func TestConsequence(t *testing.T) {
	approved, instantiated, end := View{"Approved", off}, View{"Instantiated", on}, View{"Instantiated", on}
	tests := []struct {
		name  string
		run   told
		want  Consequence
		words string
	}{
		{"as before", told{before: approved, after: approved}, NothingDone, "Approved, on the edge: nothing"},
		{"without a state until it is made again", told{before: approved, after: View{noState, off}}, NothingDone, "no state, on the edge: nothing"},
		{"without a state, and on the edge", told{before: approved, after: View{noState, on}}, Behind, "no state, on the edge: Deployment shop"},
		{"as in a good run", told{before: approved, after: instantiated}, ByItself, "Instantiated, on the edge: Deployment shop"},
		{"on the edge alone", told{before: approved, after: View{"Approved", on}}, Behind, "Approved, on the edge: Deployment shop"},
		{"in EMCO alone", told{before: approved, after: View{"Instantiated", off}}, Behind, "Instantiated, on the edge: nothing"},
		{"disagreement is judged", told{before: approved, after: approved, bad: crashpoint.Look, text: "they differ"}, Behind, "they differ"},
		{"not on the edge in the end", told{before: approved, after: approved, bad: crashpoint.Edge, text: "missing"}, Behind, "missing"},
		{"still there after the way back", told{before: approved, after: approved, bad: crashpoint.EdgeAfter, text: "there"}, Behind, "there"},
		{"failed for good", told{before: approved, after: approved, bad: crashpoint.Final, text: "status says no", progress: "given up"}, EndsFailed, "status says no"},
		{"failed on the way back", told{before: approved, after: approved, bad: crashpoint.Undone, text: "status says TerminateFailed"}, EndsFailed, "status says TerminateFailed"},
		{"refused", told{before: approved, after: approved, bad: crashpoint.Reissue, text: "refused: 500"}, Stuck, "refused: 500"},
		{"refused on the way back", told{before: approved, after: approved, bad: crashpoint.Undo, text: "500"}, Stuck, "500"},
		{"without an end", told{before: approved, after: approved, bad: crashpoint.Final, text: "not reached within 30s"}, Stuck, "not reached within 30s"},
		{"wedged", told{before: approved, after: approved, bad: crashpoint.Reissue, text: "is wedged", wedged: "projects/p"}, Stuck, "is wedged"},
		{"something stays", told{before: approved, after: approved, left: "edge Deployment shop"}, Leaks, "edge Deployment shop"},
		{"stopped, and it stays so", told{before: approved, after: approved, back: end}, NothingDone, "Approved, on the edge: nothing"},
		{"stopped, and it goes on", told{before: approved, after: approved, back: View{"Instantiated", off}}, Behind, "Instantiated, on the edge: nothing"},
		{
			"stopped, and it is seen at the end that it went on", told{
				before: approved, after: approved, back: View{"Terminated", on},
				bad: crashpoint.Final, text: "no longer InstantiateFailed: status says Instantiated",
			}, Behind, "Terminated, on the edge: Deployment shop",
		},
		{"not as good runs begin", told{before: View{"Approved", on}, after: View{"Approved", on}}, "", "it does not begin as without a fault: Approved, on the edge: Deployment shop"},
		{"answered before", told{before: approved, after: approved, accepted: true}, "", "call: expected connection-lost, but it was accepted (as it must be)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			seen := historyOf(journal.Record{Plan: steps()}, test.run.records())
			consequence, words := seen.consequence(approved, end)
			if consequence != test.want || words != test.words {
				t.Errorf("it is %q (%s), not %q (%s)", consequence, words, test.want, test.words)
			}
			if seen.beyond() != test.run.accepted {
				t.Errorf("beyond: %v", seen.beyond())
			}
		})
	}
}

// TestMasked: what two good runs differ in says nothing of a third one.
func TestMasked(t *testing.T) {
	masked := View{"Instantiated", on}.masked(View{"Instantiated", off})
	if masked != (View{State: "Instantiated"}) {
		t.Errorf("masked is %+v", masked)
	}
	if !(View{"Instantiated", off}).is(masked) || (View{"Approved", on}).is(masked) {
		t.Error("only the state counts")
	}
	if got := describe(masked); got != "Instantiated, on the edge: not always the same" {
		t.Errorf("it is described as %q", got)
	}
}

// TestMovedOn: a hold that lasted so long that TCP's timer waits longer than the
// run did is no proof of where the call was.
func TestMovedOn(t *testing.T) {
	event := func(step, name string, seconds float64) journal.Record {
		return journal.Record{Kind: journal.Event, Step: step, Event: name, At: time.Duration(seconds * float64(time.Second))}
	}
	for name, test := range map[string]struct {
		removed, next float64 // of the second hold, after the first one's end, and what follows after it
		want          bool
	}{
		"in time":                 {5, 3.5, true},
		"a hold that took longer": {6.3, 3.5, false},
		"longer, and waited for":  {6.3, 6.5, true},
		"a kill that came early":  {5, 3, false},
	} {
		records := []journal.Record{
			{Kind: journal.Attempt, Attempt: 1}, event(crashpoint.Call, plan.Sent, 1), event(crashpoint.Hold(1), plan.Removed, 3),
			event(crashpoint.Hold(3), plan.Created, 6.5), event(crashpoint.Hold(2), plan.Removed, 3+test.removed), event(crashpoint.Kill, plan.Created, 3+test.removed+test.next),
		}
		if got := historyOf(journal.Record{Plan: steps()}, records).movedOn(3); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for held, want := range map[time.Duration]time.Duration{
		0: 200 * time.Millisecond, 500 * time.Millisecond: 400 * time.Millisecond, 3100 * time.Millisecond: 3200 * time.Millisecond, 7 * time.Second: 6400 * time.Millisecond,
	} {
		if got := resentWithin(held); got != want {
			t.Errorf("what was held for %v is sent again within %v, not %v", held, got, want)
		}
	}
}

// TestVerdict: a map passes only when something was tried, and all of it covered.
func TestVerdict(t *testing.T) {
	good, found := Point{Name: "a", Consequence: NothingDone}, Point{Name: "b", Consequence: Stuck, Words: "500"}
	for name, test := range map[string]struct {
		start Start
		spent bool
		want  verdict.Judgement
	}{
		"all recovered":     {Start{Points: []Point{good}}, false, verdict.Judgement{Verdict: verdict.Passed}},
		"a finding":         {Start{Points: []Point{good, found}}, true, verdict.Judgement{Verdict: verdict.Failed, Reason: "EMCO does not recover at 1 of 2 points, in 1 ways; the first: b, stuck: 500"}},
		"no time":           {Start{Points: []Point{good}}, true, verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "the time for runs is over"}},
		"nothing was tried": {Start{}, false, verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "no point was tried; their names are such as dig-terminate-instantiated-rsync-done"}},
		"one not covered":   {Start{Points: []Point{good, {Name: "c"}}}, false, verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "1 of 2 points are not covered"}},
		"a call that goes on": {Start{Name: "dig", Points: []Point{good}, Further: 8}, false,
			verdict.Judgement{Verdict: verdict.Inconclusive, Reason: "dig goes on after the 8 back ends that it was led past"}},
	} {
		if got := (&Map{Starts: []Start{test.start}}).Verdict(test.spent); got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
