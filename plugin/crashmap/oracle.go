package crashmap

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/sdk"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// View is what a survey saw: the state that EMCO tells, and what is on the edge.
// What good runs differ in is empty.
type View struct {
	State string `json:"state"`
	Edge  string `json:"edge"`
}

// noState stands for a status that EMCO refuses.
const noState = "no state"

// masked keeps what two good runs agree on.
func (v View) masked(other View) View {
	if v.State != other.State {
		v.State = ""
	}
	if v.Edge != other.Edge {
		v.Edge = ""
	}
	return v
}

// is reports whether a view is as the other one, which may be masked.
func (v View) is(good View) bool {
	return (good.State == "" || v.State == good.State) && (good.Edge == "" || v.Edge == good.Edge)
}

// history is the last attempt of a run.
type history struct {
	verdict.History
	first   journal.Record // of the run
	records []journal.Record
}

func historyOf(first journal.Record, records []journal.Record) history {
	if attempts := journal.Split(records, journal.Attempt); len(attempts) > 0 {
		records = attempts[len(attempts)-1]
	}
	return history{verdict.Read(first.Plan, records), first, records}
}

// view is what the survey of a step saw.
func (h history) view(step string) (View, bool) {
	result, made := h.Result(step)
	return View{State: cmp.Or(result.Evidence["state"], noState), Edge: cmp.Or(result.Evidence["edge"], "nothing")}, made && result.Evidence != nil
}

// took is how long after it was sent the call came to an end, if it came to that one.
func (h history) took(end string) (time.Duration, bool) {
	sent, was := h.At(crashpoint.Call, plan.Sent)
	ended, came := h.At(crashpoint.Call, end)
	return ended - sent, was && came
}

// beyond reports whether the call was answered before it came to where it was to
// be stopped.
func (h history) beyond() bool {
	_, killed := h.At(crashpoint.Kill, plan.Created)
	_, answered := h.took(plan.Accepted)
	return answered && !killed
}

// movedOn reports whether the call had the time to come from each hold to the next:
// what a hold has dropped is sent again by TCP's timer, which doubles meanwhile.
func (h history) movedOn(holds int) bool {
	since, _ := h.At(crashpoint.Call, plan.Sent)
	for i := 1; i < holds; i++ {
		removed, _ := h.At(crashpoint.Hold(i), plan.Removed)
		next, _ := h.At(crashpoint.Hold(i+2), plan.Created)
		if i == holds-1 {
			next, _ = h.At(crashpoint.Kill, plan.Created)
		}
		if next-removed < resentWithin(removed-since) {
			return false
		}
		since = removed
	}
	return true
}

// resentWithin is how long it takes at most until TCP sends again what was held
// for some time. Linux begins with 200 ms.
func resentWithin(held time.Duration) time.Duration {
	gap := 200 * time.Millisecond
	for sent := gap; sent < held; sent += gap {
		gap *= 2
	}
	return gap
}

// consequence is what the run says of EMCO, and in which words, where begin and
// end are those of good runs. Empty: it says nothing, and why.
func (h history) consequence(begin, end View) (Consequence, string) {
	judged := h.Judge()
	if judged.Verdict != verdict.Passed && judged.Verdict != verdict.Failed {
		return "", judged.Reason
	}
	before, _ := h.view(crashpoint.Before)
	if !before.is(begin) {
		// The look before the call is a short one.
		return "", "it does not begin as without a fault: " + describe(before)
	}
	if wedged := slices.IndexFunc(h.records, wedge); wedged >= 0 {
		return Stuck, h.records[wedged].Text
	}
	if back, there := h.view(crashpoint.EdgeBack); there && !back.is(end) {
		moved, _ := h.Result(crashpoint.EdgeBack)
		return Behind, moved.Text
	}
	if judged.Verdict == verdict.Failed {
		return h.failed(judged.Reason)
	}
	if left := h.left(); len(left) > 0 {
		return Leaks, left[0]
	}
	return h.looked(end)
}

// wedge reports whether a step's result tells of what EMCO refuses for good.
func wedge(r journal.Record) bool { return r.Kind == journal.Result && r.Evidence["wedged"] != "" }

// looked is what the look after the kill says of a run that came to a good end.
func (h history) looked(end View) (Consequence, string) {
	before, _ := h.view(crashpoint.Before)
	after, _ := h.view(crashpoint.Look)
	looked, _ := h.Result(crashpoint.Look)
	switch {
	case after.is(before), after.State == noState && after.Edge == before.Edge:
		// A state that is told again once the call was made again is no finding.
		return NothingDone, looked.Text
	case after.is(end):
		return ByItself, looked.Text
	}
	return Behind, looked.Text
}

// failed sorts a run that EMCO did not come through, by the step that found it.
func (h history) failed(reason string) (Consequence, string) {
	for _, record := range h.records {
		if record.Kind != journal.Result && record.Kind != journal.Recheck {
			continue
		}
		if record.Conclusion != string(sdk.Failed) && (record.Step != crashpoint.Undo || record.Outcome == plan.Accepted) {
			continue
		}
		words := cmp.Or(record.Text, reason)
		switch record.Step {
		case crashpoint.Look, crashpoint.Edge, crashpoint.EdgeAfter:
			return Behind, words
		case crashpoint.Reissue, crashpoint.Final, crashpoint.Undo, crashpoint.Undone:
			if strings.Contains(record.Evidence["progress"]+record.Evidence["status"], "given up") || strings.Contains(words, "Failed") {
				return EndsFailed, words
			}
			return Stuck, words
		}
	}
	return Stuck, reason
}

// left is what the run could not remove.
func (h history) left() (left []string) {
	for _, record := range h.records {
		if record.Kind == journal.Left {
			left = append(left, record.Text)
		}
	}
	return left
}

func describe(v View) string {
	const varies = "not always the same"
	return fmt.Sprintf("%s, on the edge: %s", cmp.Or(v.State, varies), cmp.Or(v.Edge, varies))
}
