// Package verdict judges a run: a verdict is a pure function of plan and journal.
package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Verdict is the result of a run.
type Verdict string

// The verdicts.
const (
	Passed       Verdict = "Passed"       // the fault hit where it was aimed, and the system recovered
	Failed       Verdict = "Failed"       // the fault hit, and the system did not recover
	Inconclusive Verdict = "Inconclusive" // the evidence is not there, so nothing is said
	Error        Verdict = "Error"        // the tool, the cluster or the given state failed
)

// All are the verdicts.
func All() []Verdict { return []Verdict{Passed, Failed, Inconclusive, Error} }

// Judgement is a verdict and its reason.
type Judgement struct {
	Verdict Verdict
	// Reason is one sentence; empty for Passed.
	Reason string
}

// History is what happened in one attempt.
type History struct {
	// Origin is what times are told from.
	Origin Origin
	plan   *plan.Plan
	// fired has when each event came for the first time, and connected when each
	// step's requests had connections.
	fired     map[plan.Ref]time.Duration
	connected map[string][]time.Duration
	// results has the first result of each step, in the order of time. Its time is
	// that of the event by which the step ended: what that triggers can begin before
	// the result is written.
	results []journal.Record
	// others are the records of other kinds, in the order of time.
	others map[journal.Kind][]journal.Record
}

// Read reads the records of one attempt, which are in any order.
func Read(p *plan.Plan, attempt []journal.Record) History {
	h := History{
		Origin: originOf(p, attempt), plan: p, fired: map[plan.Ref]time.Duration{}, connected: map[string][]time.Duration{},
		others: map[journal.Kind][]journal.Record{},
	}
	attempt = slices.Clone(attempt)
	slices.SortStableFunc(attempt, func(a, b journal.Record) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Step, b.Step))
	})
	for _, record := range attempt {
		switch record.Kind {
		case journal.Event:
			ref := plan.Ref{Step: record.Step, Event: record.Event}
			if _, again := h.fired[ref]; !again {
				h.fired[ref] = record.At
			}
			if record.Event == plan.Connected {
				h.connected[record.Step] = append(h.connected[record.Step], record.At)
			}
		case journal.Result:
			if _, again := h.Result(record.Step); !again {
				step, _ := p.Find(record.Step)
				for _, event := range step.Ends() {
					record.At = min(record.At, h.at(step, event))
				}
				h.results = append(h.results, record)
			}
		default:
			h.others[record.Kind] = append(h.others[record.Kind], record)
		}
	}
	return h
}

// Result is the first result of a step, at the time when the step ended.
func (h History) Result(step string) (journal.Record, bool) {
	for _, record := range h.results {
		if record.Step == step {
			return record, true
		}
	}
	return journal.Record{}, false
}

// Judge is [History.Judge] of an attempt.
func Judge(p *plan.Plan, attempt []journal.Record) Judgement { return Read(p, attempt).Judge() }

// Judge gives the verdict on the attempt.
//
// Trouble makes an Error. Else the earliest step that did not end as the plan
// demands decides; a step that failed makes the attempt Failed only if there
// are claims due before it, and all of them hold. An attempt with all steps
// as demanded passes if every claim holds, no step was skipped, and what was
// found still held at the end. A disturbance that the plan does not expect makes
// all but an Error Inconclusive.
func (h History) Judge() Judgement {
	if judgement := h.BySteps(); judgement.Verdict != Passed {
		return judgement
	}
	return h.byRechecks()
}

// BySteps is [History.Judge] before anything was asked again at the end.
func (h History) BySteps() Judgement {
	judgement := h.undisturbed()
	for _, record := range h.others[journal.Disturbance] {
		if judgement.Verdict != Error && !slices.Contains(h.plan.Expected, record.Service) {
			return Judgement{Inconclusive, h.Disturbed(record)}
		}
	}
	return judgement
}

// Disturbed is the attempt's reason when a service was disturbed.
func (h History) Disturbed(record journal.Record) string {
	return fmt.Sprintf("%s died too, at %s: %s", record.Service, h.Origin.When(record.At), record.Text)
}

// byRechecks gives the verdict on an attempt that passed by its steps.
func (h History) byRechecks() Judgement {
	again := map[string]bool{}
	for _, record := range h.others[journal.Recheck] {
		again[record.Step] = true
		if step, known := h.plan.Find(record.Step); known && record.Conclusion != string(activity.Passed) {
			passed, _ := h.Result(step.Name)
			return h.judge(step, activity.Conclusion(record.Conclusion),
				fmt.Sprintf("%s passed at %s and no longer holds: %s", step.Name, h.Origin.When(passed.At), Said(record)))
		}
	}
	for _, step := range h.Rechecks() {
		if !again[step] {
			return Judgement{Inconclusive, fmt.Sprintf("step %s was not asked at the end whether what it found still holds", step)}
		}
	}
	return Judgement{Verdict: Passed}
}

// Rechecks are the steps whose findings must still hold at the end. What a step found
// need not, when the run has asked more of the system since, that lasts.
func (h History) Rechecks() (names []string) {
	for _, step := range h.plan.Steps {
		result, _ := h.Result(step.Name)
		overtaken := slices.ContainsFunc(h.plan.Steps, func(other plan.Step) bool {
			at, began := h.At(other.Name, plan.Started)
			return began && at >= result.At && other.Activity != nil && other.Activity.Lasting && other.Name != step.Name
		})
		if step.Activity != nil && step.Activity.Recheck && result.Conclusion == string(activity.Passed) && !overtaken {
			names = append(names, step.Name)
		}
	}
	return names
}

// undisturbed gives the verdict by trouble, steps and evidence.
func (h History) undisturbed() Judgement {
	p := h.plan
	if trouble := h.others[journal.Trouble]; len(trouble) > 0 {
		return Judgement{Error, trouble[0].Text}
	}
	if p.Given.Activity != nil {
		switch result, ended := h.Result(p.Given.Name); {
		case !ended:
			return Judgement{Error, "the given state was never reached"}
		case result.Conclusion != string(activity.Passed):
			return Judgement{Error, "the given state was not reached: " + result.Text}
		}
	}
	for _, result := range h.results {
		step, known := p.Find(result.Step)
		if !known || step.Activity == nil || step.Name == p.Given.Name || step.Name == p.Teardown.Name {
			continue
		}
		switch meaning, reason := Meaning(step, result); meaning {
		case activity.Passed:
		case activity.Inconclusive:
			// A call that was answered against all odds also says why others could
			// not tell.
			return Judgement{Inconclusive, cmp.Or(h.anyAnswered(), reason)}
		default:
			if front := h.front(step); front != "" && meaning == activity.Failed {
				return Judgement{Inconclusive, front + "; " + reason}
			}
			return h.judge(step, meaning, cmp.Or(h.answered(step, result), reason))
		}
	}
	if skipped := h.others[journal.Skipped]; len(skipped) > 0 {
		return Judgement{Inconclusive, fmt.Sprintf("step %s did not start: %s", skipped[0].Step, skipped[0].Text)}
	}
	for _, step := range p.Steps {
		if _, ended := h.Result(step.Name); !ended && step.Activity != nil {
			return Judgement{Inconclusive, fmt.Sprintf("step %s did not end", step.Name)}
		}
	}
	if missing := h.missing(p.Evidence...); missing != "" {
		return Judgement{Inconclusive, missing}
	}
	// Plans are checked before they run; that of a journal may have been changed.
	faults := slices.ContainsFunc(p.Steps, func(step plan.Step) bool { return step.Fault != nil })
	if len(p.Steps) == 0 || len(p.Evidence) == 0 && (faults || !p.Control) {
		return Judgement{Inconclusive, "the plan demands nothing that shows what was done"}
	}
	return Judgement{Verdict: Passed}
}

// judge gives the verdict on a step that did not end as the plan demands.
func (h History) judge(step plan.Step, meaning activity.Conclusion, reason string) Judgement {
	switch meaning {
	case activity.Inconclusive:
		return Judgement{Inconclusive, reason}
	case activity.Failed:
		due := h.due(step)
		missing := cmp.Or(h.missing(due...), h.notReady(step))
		if len(due) == 0 && !h.plan.Control {
			missing = "no evidence was due yet"
		}
		if missing != "" {
			return Judgement{Inconclusive, fmt.Sprintf("%s; but this says nothing, because %s", reason, missing)}
		}
		return Judgement{Failed, reason}
	}
	return Judgement{Error, reason}
}

// notReady returns which fault's target was down, and not Ready again, when a
// step failed; empty when there is none. A step of the outage itself, which is
// on until some event or ends with it, does not wait for the system to be back.
func (h History) notReady(step plan.Step) string {
	result, _ := h.Result(step.Name)
	for _, other := range h.plan.Steps {
		down := h.at(other, plan.Down)
		within := other.Ended() && h.at(other, plan.Removed) > result.At ||
			slices.ContainsFunc(step.Until, func(ref plan.Ref) bool { return ref.Step == other.Name })
		if other.Fault != nil && !within && down < result.At && h.at(other, plan.Ready) > result.At {
			return fmt.Sprintf("what %s had stopped was not Ready yet after %v: the cluster was slow, not the system",
				other.Fault.Summary, (result.At - down).Round(100*time.Millisecond))
		}
	}
	return ""
}

// At is when a step emitted an event for the first time, if it did.
func (h History) At(step, event string) (at time.Duration, fired bool) {
	at, fired = h.fired[plan.Ref{Step: step, Event: event}]
	return at, fired
}

// at is [History.At]; in the far future when it did not.
func (h History) at(step plan.Step, event string) time.Duration {
	if at, fired := h.At(step.Name, event); fired {
		return at
	}
	return math.MaxInt64
}

// anyAnswered is [History.answered] of the first call that it is known of, else
// [History.front] of the first step.
func (h History) anyAnswered() (reason string) {
	for _, result := range h.results {
		step, _ := h.plan.Find(result.Step)
		reason = cmp.Or(reason, h.answered(step, result))
	}
	for _, step := range h.plan.Steps {
		reason = cmp.Or(reason, h.front(step))
	}
	return reason
}

// front returns what shows that something stands in front of the service that
// was to refuse a step's requests: they were connected while a fault had the
// service down. Empty when nothing shows that.
func (h History) front(step plan.Step) string {
	if step.Activity == nil || step.Activity.Service == "" || step.Expect == plan.ConnectionLost {
		return ""
	}
	stops := slices.DeleteFunc(slices.Clone(h.plan.Steps), func(other plan.Step) bool {
		return other.Fault == nil || !other.Fault.StopsService(step.Activity.Service)
	})
	for _, other := range stops {
		down, back := h.at(other, plan.Down), h.at(other, plan.Removed)
		for _, another := range stops {
			if ready := h.at(another, plan.Ready); ready > down {
				back = min(back, ready)
			}
		}
		for _, at := range h.connected[step.Name] {
			if down < at && at < back {
				return fmt.Sprintf("%s: something in front of the service took a connection %v after %s had taken the service down,"+
					" and may answer for it or send requests again; point the target at the service itself",
					step.Name, (at - down).Round(time.Millisecond), other.Fault.Summary)
			}
		}
	}
	return ""
}

// answered returns why a call was answered that was to lose its connection;
// empty when that is not known.
func (h History) answered(step plan.Step, result journal.Record) string {
	accepted := result.Outcome == plan.Accepted
	if step.Expect != plan.ConnectionLost || !accepted && !plan.Matches(plan.Rejected, result.Outcome) {
		return ""
	}
	started := h.at(step, plan.Started)
	for _, other := range h.plan.Steps {
		switch down := h.at(other, plan.Down); {
		case other.Fault == nil:
		case other.While == step.Name && started < down && down < result.At:
			did := "sent the call again"
			if slices.Contains([]string{"rejected 502", "rejected 503", "rejected 504"}, result.Outcome) {
				did = "answered for it"
			}
			return fmt.Sprintf("%s: something in front of the service %s: it was answered (%s) %v after %s had taken the service down; point the target at the service itself",
				step.Name, did, result.Text, (result.At - down).Round(time.Millisecond), other.Fault.Summary)
		case accepted && !other.Fault.Stops() && h.at(other, plan.Injected) <= started && result.At < h.at(other, plan.Removed):
			return fmt.Sprintf("%s: the hold held nothing, or no longer: it was answered (%s) after %v while %s was on",
				step.Name, result.Text, (result.At - started).Round(time.Millisecond), other.Fault.Summary)
		}
	}
	return ""
}

// Said is what an activity says: also of what is wedged in the system, so that
// it refuses everything for good.
func Said(result journal.Record) string {
	text, evidence := result.Text, result.Evidence
	for _, key := range []string{"wedged", "tried"} {
		if value := evidence[key]; !strings.Contains(text, value) {
			text += "; " + key + ": " + value
		}
	}
	if evidence["wedged"] != "" && evidence["blocks"] != "" {
		text += "; it blocks " + evidence["blocks"]
	}
	return text
}

// Meaning returns what a step's result makes of the run and why: the
// activity's own conclusion, or, where the plan expects an outcome, the
// outcome against the plan.
func Meaning(step plan.Step, result journal.Record) (meaning activity.Conclusion, reason string) {
	if result.Conclusion != string(activity.Passed) {
		return activity.Conclusion(result.Conclusion), fmt.Sprintf("%s: %s", step.Name, Said(result))
	}
	if plan.Matches(step.Expect, result.Outcome) {
		return activity.Passed, ""
	}
	reason = fmt.Sprintf("%s: expected %s, but it was %s (%s)", step.Name, step.Expect, result.Outcome, result.Text)
	for outcome, meaning := range step.Otherwise {
		if plan.Matches(outcome, result.Outcome) {
			return activity.Conclusion(meaning), reason
		}
	}
	return activity.Inconclusive, reason
}

// due are the claims that must hold before the step may make a run Failed:
// all but those over events that can come only after the step's own end.
func (h History) due(step plan.Step) []plan.Claim {
	later := h.later(step)
	return slices.DeleteFunc(slices.Clone(h.plan.Evidence), func(claim plan.Claim) bool {
		return slices.ContainsFunc(claim.Refs, func(ref plan.Ref) bool { return later[ref] })
	})
}

// later are the events that can come only after the step has ended, by
// however many triggers in between.
func (h History) later(step plan.Step) map[plan.Ref]bool {
	later := map[plan.Ref]bool{}
	var add func(step plan.Step, events ...string)
	add = func(step plan.Step, events ...string) {
		for _, event := range events {
			ref := plan.Ref{Step: step.Name, Event: event}
			if later[ref] {
				continue
			}
			later[ref] = true
			for _, other := range h.plan.Steps {
				if slices.Contains(other.After, ref) || all(other.AfterAny, later) {
					add(other, other.Events()...)
				}
				if other.Fault != nil && slices.Contains(other.Until, ref) {
					add(other, plan.Removed)
				}
			}
		}
	}
	add(step, step.Ends()...)
	return later
}

// all reports whether there are events, and each is among the others.
func all(refs []plan.Ref, among map[plan.Ref]bool) bool {
	return len(refs) > 0 && !slices.ContainsFunc(refs, func(ref plan.Ref) bool { return !among[ref] })
}

// missing returns why one of the claims does not hold; empty when all do.
func (h History) missing(claims ...plan.Claim) string {
	for _, claim := range claims {
		for i, ref := range claim.Refs {
			at, fired := h.fired[ref]
			if !fired {
				return fmt.Sprintf("the evidence %q is not there: %s never happened", claim, ref)
			}
			if earlier := h.fired[claim.Refs[max(0, i-1)]]; i > 0 && earlier >= at {
				return fmt.Sprintf("the evidence %q is not there: %s came %v before %s",
					claim, ref, (earlier - at).Round(time.Microsecond), claim.Refs[i-1])
			}
		}
	}
	return ""
}

// Claim is one claim of a plan's evidence, and whether it holds.
type Claim struct {
	Text  string `json:"text"`
	Holds bool   `json:"holds"`
	// Missing is why it does not hold.
	Missing string `json:"missing,omitempty"`
}

// Claims are the plan's evidence against what happened.
func (h History) Claims() []Claim {
	claims := make([]Claim, len(h.plan.Evidence))
	for i, claim := range h.plan.Evidence {
		missing := h.missing(claim)
		claims[i] = Claim{Text: claim.String(), Holds: missing == "", Missing: missing}
	}
	return claims
}
