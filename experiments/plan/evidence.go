package plan

import (
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
		case c.open(ref):
			wrong(anyOutcome(ref), "claim what comes whatever the outcome, or expect one")
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
			if !link.either {
				add(ref, link)
			}
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
			if step.Fault != nil && !step.Ended() && !slices.Contains([]string{Down, Rescheduled, Ready, Removed}, ref.Event) {
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
	var chain []string
	for by, found := reached[to]; found && to != from; by = reached[to] {
		chain = append(chain, fmt.Sprintf("%s %s %s", by.to, by.why, to))
		to = by.to
	}
	slices.Reverse(chain)
	return chain
}
