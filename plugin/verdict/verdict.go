// Package verdict judges a run from its journal.
//
// The history comes first and the checker after it: what the engine did is in
// the journal, and the verdict is a function of the plan and the journal
// alone. The same journal always gives the same verdict.
package verdict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// Verdict is what a run says.
type Verdict string

// The verdicts.
const (
	// Passed: the system recovered as the experiment says, and the evidence
	// that the fault hit where it was aimed is there.
	Passed Verdict = "Passed"
	// Failed: the fault hit, and the system did not recover.
	Failed Verdict = "Failed"
	// Inconclusive: the evidence is not there, so nothing is said.
	Inconclusive Verdict = "Inconclusive"
	// Error: the tool, the cluster or the given state failed.
	Error Verdict = "Error"
)

// Conclusions of an activity, as its result has them.
const (
	passed       = "passed"
	failed       = "failed"
	inconclusive = "inconclusive"
)

// Judgement is a verdict and its reason.
type Judgement struct {
	Verdict Verdict
	// Reason is one sentence; empty for Passed.
	Reason string
}

// history is what the records of one attempt say, ready to be asked.
type history struct {
	plan    *plan.Plan
	fired   map[plan.Ref]time.Duration
	results map[string]journal.Record
	skipped []journal.Record
	trouble []journal.Record
}

func read(p *plan.Plan, attempt []journal.Record) history {
	h := history{plan: p, fired: map[plan.Ref]time.Duration{}, results: map[string]journal.Record{}}
	for _, record := range attempt {
		switch record.Kind {
		case journal.Event:
			ref := plan.Ref{Step: record.Step, Event: record.Event}
			if _, again := h.fired[ref]; !again {
				h.fired[ref] = record.At
			}
		case journal.Result:
			if _, again := h.results[record.Step]; !again {
				h.results[record.Step] = record
			}
		case journal.Skipped:
			h.skipped = append(h.skipped, record)
		case journal.Trouble:
			h.trouble = append(h.trouble, record)
		}
	}
	return h
}

// Judge gives the verdict on one attempt. The records are those of that
// attempt, in any order.
//
// Trouble makes an Error. Else the earliest step that did not end as the plan
// demands decides; a step that failed makes the attempt Failed only if there
// are claims due before it, and all of them hold. An attempt with all steps
// as demanded passes if every claim holds and no step was skipped.
func Judge(p *plan.Plan, attempt []journal.Record) Judgement {
	h := read(p, attempt)
	if len(h.trouble) > 0 {
		return Judgement{Error, h.trouble[0].Text}
	}
	if result, ended := h.results[p.Given.Name]; p.Given.Activity != nil && (!ended || result.Conclusion != passed) {
		if !ended {
			return Judgement{Error, "the given state was never reached"}
		}
		return Judgement{Error, "the given state was not reached: " + result.Text}
	}
	if judgement, decided := h.earliest(); decided {
		return judgement
	}
	for _, skipped := range h.skipped {
		return Judgement{Inconclusive, fmt.Sprintf("step %s did not start: %s", skipped.Step, skipped.Text)}
	}
	for _, step := range p.Steps {
		if step.Activity != nil {
			if _, ended := h.results[step.Name]; !ended {
				return Judgement{Inconclusive, fmt.Sprintf("step %s did not end", step.Name)}
			}
		}
	}
	for _, claim := range p.Evidence {
		if missing := h.missing(claim); missing != "" {
			return Judgement{Inconclusive, missing}
		}
	}
	return Judgement{Verdict: Passed}
}

// earliest judges the step that was the first not to end as demanded.
func (h history) earliest() (Judgement, bool) {
	results := make([]journal.Record, 0, len(h.results))
	for _, result := range h.results {
		results = append(results, result)
	}
	slices.SortFunc(results, func(a, b journal.Record) int {
		if a.At != b.At {
			return int(a.At - b.At)
		}
		return strings.Compare(a.Step, b.Step)
	})
	for _, result := range results {
		if result.Step == h.plan.Given.Name || result.Step == h.plan.Teardown.Name {
			continue
		}
		step, known := h.plan.Find(result.Step)
		if !known || step.Activity == nil {
			continue
		}
		if judgement, decided := h.step(step, result); decided {
			return judgement, true
		}
	}
	return Judgement{}, false
}

// step judges one step by its result.
func (h history) step(step plan.Step, result journal.Record) (Judgement, bool) {
	meaning, reason := Meaning(step, result)
	switch meaning {
	case passed:
		return Judgement{}, false
	case failed:
		due := h.due(step)
		if len(due) == 0 {
			return Judgement{Inconclusive, reason + "; but this says nothing, because no evidence was due yet"}, true
		}
		for _, claim := range due {
			if missing := h.missing(claim); missing != "" {
				return Judgement{Inconclusive, fmt.Sprintf("%s; but this says nothing, because %s", reason, missing)}, true
			}
		}
		return Judgement{Failed, reason}, true
	case inconclusive:
		return Judgement{Inconclusive, reason}, true
	default:
		return Judgement{Error, reason}, true
	}
}

// Meaning says what a step's result makes of the run (passed, failed,
// inconclusive or error) and why: the activity's own conclusion, or, where
// the plan expects an outcome, the outcome against the plan.
func Meaning(step plan.Step, result journal.Record) (meaning, reason string) {
	if result.Conclusion != passed {
		return result.Conclusion, fmt.Sprintf("%s: %s", step.Name, result.Text)
	}
	if plan.Matches(step.Expect, result.Outcome) {
		return passed, ""
	}
	reason = fmt.Sprintf("%s: expected %s, but it was %s (%s)", step.Name, step.Expect, result.Outcome, result.Text)
	for outcome, meaning := range step.Otherwise {
		if plan.Matches(outcome, result.Outcome) {
			return meaning, reason
		}
	}
	return inconclusive, reason
}

// due are the claims that must hold before the step may make a run Failed:
// all but those over events that can come only after the step's own end.
func (h history) due(step plan.Step) []plan.Claim {
	later := h.later(step)
	var claims []plan.Claim
	for _, claim := range h.plan.Evidence {
		if !slices.ContainsFunc(claim.Refs, func(ref plan.Ref) bool { return later[ref] }) {
			claims = append(claims, claim)
		}
	}
	return claims
}

// later are the events that can come only after the step has ended, by
// however many triggers in between.
func (h history) later(step plan.Step) map[plan.Ref]bool {
	later := map[plan.Ref]bool{}
	for _, event := range step.Ends() {
		later[plan.Ref{Step: step.Name, Event: event}] = true
	}
	for grown := true; grown; {
		grown = false
		add := func(name string, events ...string) {
			for _, event := range events {
				if ref := (plan.Ref{Step: name, Event: event}); !later[ref] {
					later[ref], grown = true, true
				}
			}
		}
		for _, other := range h.plan.Steps {
			if slices.ContainsFunc(other.After, func(ref plan.Ref) bool { return later[ref] }) {
				add(other.Name, other.Events()...)
			}
			if other.Fault != nil && slices.ContainsFunc(other.Until, func(ref plan.Ref) bool { return later[ref] }) {
				add(other.Name, plan.Removed)
			}
		}
	}
	return later
}

// missing says why a claim does not hold, or "" when it does.
func (h history) missing(claim plan.Claim) string {
	for i, ref := range claim.Refs {
		at, fired := h.fired[ref]
		if !fired {
			return fmt.Sprintf("the evidence %q is not there: %s never happened", claim, ref)
		}
		if i == 0 {
			continue
		}
		if earlier := h.fired[claim.Refs[i-1]]; earlier >= at {
			return fmt.Sprintf("the evidence %q is not there: %s came %v before %s",
				claim, ref, (earlier - at).Round(time.Microsecond), claim.Refs[i-1])
		}
	}
	return ""
}

// Claims says of each claim of the plan whether it holds: "" or why not.
func Claims(p *plan.Plan, attempt []journal.Record) []string {
	h := read(p, attempt)
	missing := make([]string, len(p.Evidence))
	for i, claim := range p.Evidence {
		missing[i] = h.missing(claim)
	}
	return missing
}
