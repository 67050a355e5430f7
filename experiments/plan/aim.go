package plan

import (
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
	for _, step := range c.plan.Steps {
		until = append(until, step.Until...)
	}
	order := c.order(c.needed(slices.Concat(claimed, until)...))
	for _, claim := range c.plan.Evidence {
		for at := 1; at < len(claim.Refs); at++ {
			order[claim.Refs[at]] = append(order[claim.Refs[at]], link{to: claim.Refs[at-1]})
		}
	}
	faults := 0
	for _, step := range c.plan.Steps {
		if step.Fault == nil {
			continue
		}
		faults++
		effect, removed := Ref{step.Name, Injected}, Ref{step.Name, Removed}
		if step.Fault.Stops() {
			effect.Event = Down
		}
		// ends are the events at one of which a fault that lasts is taken off.
		ends := step.Until
		if slices.Contains(claimed, removed) {
			ends = []Ref{removed}
		}
		aimed := slices.Contains(claimed, effect) && slices.ContainsFunc(claimed, func(ref Ref) bool {
			return c.steps[ref.Step].Activity != nil && ref.Event != Started && path(order, ref, effect) != nil &&
				(step.Fault.Stops() || len(ends) == 0 ||
					slices.ContainsFunc(ends, func(end Ref) bool { return end == ref || path(order, end, ref) != nil }))
		})
		field, waiting := stepField(step.Name, "fault"), c.waitingFor(step.Name)
		switch {
		case c.plan.Control:
			c.add(field, "stands in a control experiment", "leave it out, or leave control: true out")
		case waiting == nil:
			c.add(field, "no call and no probe waits for it", fmt.Sprintf("let one start after it: after: [%s]", effect))
		case c.late(step, effect, order):
			c.add(field, "comes only after what the run is judged by", "let it come before, or look again after it")
		case !aimed:
			c.add("evidence", fmt.Sprintf("does not say that %s hit: %s comes in it before no event of a call or a probe that it was aimed at", step.Name, effect),
				"write evidence such as "+c.example(step, effect, waiting))
		}
	}
	c.want(c.plan.Control || faults > 0, "steps", "no step puts a fault on anything", "write one, or control: true if the run is to show what happens without")
}

// waitingFor finds an activity that starts only after an event of the fault; nil
// if there is none.
func (c *checker) waitingFor(fault string) *Step {
	for _, step := range c.plan.Steps {
		if step.Activity == nil {
			continue
		}
		for ref := range c.before(step.After, func(link) bool { return true }) {
			if ref.Step == fault {
				return &step
			}
		}
	}
	return nil
}

// late reports whether all that is asked again at the end was found before the
// fault.
func (c *checker) late(step Step, effect Ref, order map[Ref][]link) bool {
	judged := false
	needed := c.needed(step.After...)
	for _, judge := range c.plan.Steps {
		if judge.Activity == nil || !judge.Activity.Recheck {
			continue
		}
		judged = true
		if !slices.ContainsFunc(judge.Activity.Ends, func(end string) bool {
			ref := Ref{judge.Name, end}
			return needed[ref] || path(order, effect, ref) != nil
		}) {
			return false
		}
	}
	return judged
}

// example is evidence that the fault hit before the other step came to its end.
func (c *checker) example(step Step, effect Ref, other *Step) string {
	text := effect.String()
	for _, end := range other.Activity.Ends {
		if ref := (Ref{other.Name, end}); c.unexpected(ref) == "" {
			text += " < " + ref.String()
			break
		}
	}
	if !step.Fault.Stops() && len(step.Until) > 0 {
		text += fmt.Sprintf(" < %s.%s", step.Name, Removed)
	}
	return text
}
