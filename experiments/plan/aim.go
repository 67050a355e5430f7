package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// aim checks that no run can pass without its faults: the evidence names what
// each of them did before an event of a call or a probe. A control experiment
// has no fault.
func (c *checker) aim() {
	var claimed, until []Ref
	for _, claim := range c.plan.Evidence {
		claimed = append(claimed, claim.Refs...)
	}
	waiting := map[string]*Step{} // an activity that starts only after an event of the fault
	for _, step := range c.plan.Steps {
		until = append(until, step.Until...)
		if step.Activity == nil {
			continue
		}
		for ref := range reach(slices.Concat(step.After, step.AfterAny), c.links) {
			waiting[ref.Step] = cmp.Or(waiting[ref.Step], &step)
		}
	}
	order := c.order(c.needed(slices.Concat(claimed, until)...))
	for _, claim := range c.plan.Evidence {
		for at := 1; at < len(claim.Refs); at++ {
			order[claim.Refs[at]] = append(order[claim.Refs[at]], link{to: claim.Refs[at-1]})
		}
	}
	reversed := map[Ref][]link{}
	for later, links := range order {
		for _, earlier := range links {
			reversed[earlier.to] = append(reversed[earlier.to], link{to: later})
		}
	}
	hit := c.hit(claimed, order, reversed)
	faults := 0
	for _, step := range c.plan.Steps {
		if step.Fault == nil {
			continue
		}
		faults++
		effect, field := step.effect(), step.field("fault")
		switch {
		case c.plan.Control:
			c.add(field, "stands in a control experiment", "leave it out, or leave control: true out")
		case waiting[step.Name] == nil:
			c.add(field, "no call and no probe waits for it", fmt.Sprintf("let one start after it: after: [%s]", effect))
		case c.late(step, reach([]Ref{effect}, func(ref Ref) []link { return order[ref] })):
			c.add(field, "comes only after what the run is judged by", "let it come before, or look again after it")
		case !hit[step.Name]:
			c.add("evidence", fmt.Sprintf("does not say that %s hit: %s comes in it before no event of a call or a probe that it was aimed at", step.Name, effect),
				"write evidence such as "+c.example(step, effect, waiting[step.Name]))
		}
	}
	c.want(c.plan.Control || faults > 0, "steps", "no step puts a fault on anything", "write one, or control: true if the run is to show what happens without")
}

// effect is the event that tells that a fault does what it is for.
func (s Step) effect() Ref {
	if s.Fault.Stops() {
		return Ref{s.Name, Down}
	}
	return Ref{s.Name, Injected}
}

// hit are the faults whose effect the evidence names before an event of a call or
// a probe, and, if they last, while they do. A fault that gives way to another one
// which hits is one of them: it is taken off once that is on.
func (c *checker) hit(claimed []Ref, order, reversed map[Ref][]link) map[string]bool {
	hit := map[string]bool{}
	for range c.plan.Steps { // from the last fault that gives way to the first
		for _, step := range c.plan.Steps {
			if step.Fault == nil {
				continue
			}
			after := reach([]Ref{step.effect()}, func(ref Ref) []link { return reversed[ref] })
			// A fault that lasts is taken off at one of these events.
			ends, removed := step.Until, Ref{step.Name, Removed}
			if step.For > 0 || slices.Contains(claimed, removed) {
				ends = []Ref{removed}
			}
			lasted := reach(ends, func(ref Ref) []link { return order[ref] })
			hit[step.Name] = slices.Contains(claimed, step.effect()) && slices.ContainsFunc(claimed, func(ref Ref) bool {
				other := c.steps[ref.Step]
				seen := other.Activity != nil && ref.Event != Started ||
					other.Fault != nil && !other.Fault.Stops() && ref == other.effect() && hit[ref.Step] && len(ends) > 0
				return seen && after[ref] && (step.Fault.Stops() || len(ends) == 0 || lasted[ref])
			})
		}
	}
	return hit
}

// late reports whether all that is asked again at the end was found before the
// fault: the step waits for it, or it is among the events before.
func (c *checker) late(step Step, before map[Ref]bool) bool {
	judged := false
	needed := c.needed(step.After...)
	for _, judge := range c.plan.Steps {
		if judge.Activity == nil || !judge.Activity.Recheck {
			continue
		}
		judged = true
		if !slices.ContainsFunc(judge.Activity.Ends, func(end string) bool { return needed[Ref{judge.Name, end}] || before[Ref{judge.Name, end}] }) {
			return false
		}
	}
	return judged
}

// example is evidence that the fault hit before the other step came to its end.
func (c *checker) example(step Step, effect Ref, other *Step) string {
	example := Claim{Refs: []Ref{effect}}
	for _, end := range other.Activity.Ends {
		if ref := (Ref{other.Name, end}); c.unexpected(ref) == "" {
			example.Refs = append(example.Refs, ref)
			break
		}
	}
	if !step.Fault.Stops() && step.Ended() {
		example.Refs = append(example.Refs, Ref{step.Name, Removed})
	}
	return example.String()
}
