package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// evidence checks that the claims can all be true of one run.
func (c *checker) evidence() {
	fired := map[Ref]bool{}
	var sound []int
	for i, claim := range c.plan.Evidence {
		if c.claim(i, claim) {
			sound = append(sound, i)
		}
	}
	if c.endless {
		return
	}
	for _, i := range sound {
		grown := c.needed(c.plan.Evidence[i].Refs...)
		maps.Copy(grown, fired)
		if one, other, clash := c.clash(grown); clash {
			c.add(fmt.Sprintf("evidence[%d]", i),
				fmt.Sprintf("can never hold: the evidence needs %s and %s, and only one of them comes", one, other),
				"claim one of them")
			continue
		}
		fired = grown
	}
	c.contradictions(sound, fired)
}

// claim checks one claim by itself.
func (c *checker) claim(i int, claim Claim) bool {
	field := fmt.Sprintf("evidence[%d]", i)
	if len(claim.Refs) == 0 {
		c.add(field, "names no event", "write events in their order, such as call.sent < kill.created")
		return false
	}
	sound := true
	wrong := func(message, remedy string) {
		c.add(field, message, remedy)
		sound = false
	}
	for at, ref := range claim.Refs {
		switch {
		case !c.emitted(field, ref):
			sound = false
		case ref.Step == GivenStep && at > 0 && claim.Refs[at-1].Step != GivenStep:
			wrong(fmt.Sprintf("can never hold: %s comes before all steps", ref), "write it first")
		case ref.Step == TeardownStep:
			wrong(fmt.Sprintf("%s comes after the evidence was looked at", ref), "leave it out")
		case slices.Contains(claim.Refs[:at], ref):
			wrong(fmt.Sprintf("%s cannot come before itself", ref), "name it once")
		case c.unexpected(ref) != "":
			wrong("can never hold: "+c.unexpected(ref), "claim the event of the expected outcome")
		}
	}
	return sound
}

// contradictions finds claims whose order is the reverse of what the steps'
// triggers, or claims before them, demand.
func (c *checker) contradictions(sound []int, fired map[Ref]bool) {
	order := c.order(fired)
	for _, i := range sound {
		refs := c.plan.Evidence[i].Refs
		for at := 1; at < len(refs); at++ {
			earlier, later := refs[at-1], refs[at]
			if chain := path(order, earlier, later); chain != nil {
				c.add(fmt.Sprintf("evidence[%d]", i),
					fmt.Sprintf("can never hold: %s < %s, and %s", earlier, later, strings.Join(chain, ", ")),
					"turn it round, or mend the triggers")
				continue
			}
			order[later] = append(order[later], link{to: earlier, why: "is claimed after"})
		}
	}
	if len(c.problems)+len(c.unread) == 0 {
		c.aim()
	}
}

// order is what is known of the order of events, all of which fire: each
// event's links go to events that come before it.
func (c *checker) order(fired map[Ref]bool) map[Ref][]link {
	order := map[Ref][]link{}
	sorted := slices.SortedFunc(maps.Keys(fired), func(a, b Ref) int { return strings.Compare(a.String(), b.String()) })
	add := func(later Ref, earlier link) {
		if fired[later] && fired[earlier.to] && later != earlier.to {
			order[later] = append(order[later], earlier)
		}
	}
	for _, ref := range sorted {
		for _, link := range c.links(ref) {
			add(ref, link)
		}
	}
	for _, step := range c.plan.Steps {
		for _, end := range step.Ends() {
			for _, event := range step.Events() {
				if step.Activity != nil && !slices.Contains(step.Ends(), event) {
					add(Ref{step.Name, end}, link{to: Ref{step.Name, event}, why: comesAfter})
				}
			}
		}
		for _, ref := range sorted {
			if step.Fault != nil && len(step.Until) == 0 && !slices.Contains([]string{Down, Rescheduled, Ready, Removed}, ref.Event) {
				add(Ref{step.Name, Removed}, link{to: ref, why: "comes at the end of the run, after"})
			}
		}
		if other, known := c.steps[step.While]; known && other.Activity != nil {
			for _, end := range other.Activity.Ends {
				add(Ref{step.While, end}, link{to: first(step), why: comesAfter})
			}
		}
	}
	return order
}

// path says how the order leads from an event back to an earlier one; nil if not.
func path(order map[Ref][]link, from, to Ref) []string {
	// reached has, for each event, the one that it was reached from, and why.
	reached := map[Ref]link{from: {}}
	for queue := []Ref{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range order[queue[0]] {
			if _, seen := reached[next.to]; !seen {
				reached[next.to] = link{to: queue[0], why: next.why}
				queue = append(queue, next.to)
			}
		}
	}
	if _, found := reached[to]; !found {
		return nil
	}
	var chain []string
	for ; to != from; to = reached[to].to {
		chain = append(chain, fmt.Sprintf("%s %s %s", reached[to].to, reached[to].why, to))
	}
	slices.Reverse(chain)
	return chain
}

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
		for ref := range reach(step.After, c.links) {
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
		effect := step.effect()
		field := stepField(step.Name, "fault")
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
			if slices.Contains(claimed, removed) {
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
