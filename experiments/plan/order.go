package plan

import (
	"fmt"
	"slices"
	"strings"
)

// link says that an event comes after another one, and why.
type link struct {
	to  Ref
	why string
	// field is where the plan says so; empty when it lies in the step's nature.
	field string
	// sure says that the other event must have fired; else it is only known
	// to come first if it does.
	sure bool
}

// How one event waits for another.
const (
	comesAfter = "comes after"
	waitsUntil = "waits until"
)

// first is the event that a step starts with.
func (c *checker) first(step Step) string {
	if step.Fault != nil {
		return Created
	}
	return Started
}

// links are the events that the event waits for.
func (c *checker) links(ref Ref) []link {
	step, known := c.steps[ref.Step]
	if !known {
		return nil
	}
	if slices.Contains(c.unread, ref.Step) {
		return c.afterLinks(step)
	}
	if !step.Emits(ref.Event) {
		return nil
	}
	first := c.first(step)
	if ref.Event == first {
		return c.afterLinks(step)
	}
	links := []link{{to: Ref{step.Name, first}, why: comesAfter, sure: true}}
	if step.Fault == nil {
		return links
	}
	switch ref.Event {
	case Ready:
		links = append(links, link{to: Ref{step.Name, Down}, why: comesAfter, sure: true})
		// A pod-failure lasts until it is removed.
		if step.Fault.Action == "pod-failure" {
			links = append(links, link{to: Ref{step.Name, Removed}, why: comesAfter, sure: true})
		}
	case Removed:
		for i, until := range step.Until {
			links = append(links, link{to: until, why: waitsUntil, field: fmt.Sprintf("%s[%d]", stepField(step.Name, "until"), i)})
		}
	}
	return links
}

func (c *checker) afterLinks(step Step) []link {
	links := make([]link, len(step.After))
	for i, after := range step.After {
		links[i] = link{to: after, why: comesAfter, field: fmt.Sprintf("%s[%d]", stepField(step.Name, "after"), i), sure: true}
	}
	return links
}

// needed is the events, and all that must have fired before them.
func (c *checker) needed(refs ...Ref) map[Ref]bool {
	seen := map[Ref]bool{}
	for waiting := slices.Clone(refs); len(waiting) > 0; waiting = waiting[1:] {
		if ref := waiting[0]; !seen[ref] {
			seen[ref] = true
			for _, link := range c.links(ref) {
				if link.sure {
					waiting = append(waiting, link.to)
				}
			}
		}
	}
	return seen
}

// waits finds events that wait for each other.
func (c *checker) waits() {
	const (
		open = 1
		done = 2
	)
	state := map[Ref]int{}
	var path []link
	var visit func(Ref)
	visit = func(ref Ref) {
		state[ref] = open
		for _, link := range c.links(ref) {
			path = append(path, link)
			switch state[link.to] {
			case open:
				c.deadlock(path)
			case 0:
				visit(link.to)
			}
			path = path[:len(path)-1]
		}
		state[ref] = done
	}
	for _, step := range c.plan.Steps {
		for _, event := range step.Events() {
			ref := Ref{step.Name, event}
			if state[ref] == 0 {
				path = append(path[:0], link{to: ref})
				visit(ref)
			}
		}
	}
}

// deadlock reports the circle at the end of the path.
func (c *checker) deadlock(path []link) {
	c.endless = true
	from, field := path[len(path)-1].to, ""
	start := slices.IndexFunc(path, func(link link) bool { return link.to == from })
	var chain []string
	for _, link := range path[start+1:] {
		chain = append(chain, fmt.Sprintf("%s %s %s", from, link.why, link.to))
		if link.field != "" && (field == "" || link.why == waitsUntil) {
			field = link.field
		}
		from = link.to
	}
	c.add(field, "a deadlock: "+strings.Join(chain, ", "), "take one of these waits out")
}

// together checks that what the step waits for can all happen in one run.
func (c *checker) together(step Step) {
	if c.endless {
		return
	}
	fired := c.needed(step.After...)
	if one, other, clash := c.clash(fired); clash {
		// What is wrong with a step that it waits for is said there.
		for _, ref := range step.After {
			if _, _, inherited := c.clash(c.needed(ref)); inherited {
				return
			}
		}
		c.add(stepField(step.Name, "after"),
			fmt.Sprintf("can never be met: it needs %s and %s, and only one of them comes", one, other),
			"wait for one of them")
		return
	}
	other, known := c.steps[step.While]
	if step.While == "" || !known || other.Activity == nil || step.While == step.Name {
		return
	}
	for _, end := range other.Activity.Ends {
		if fired[Ref{step.While, end}] {
			c.add(stepField(step.Name, "while"),
				fmt.Sprintf("can never be met: the step starts after %s.%s, when %s is over", step.While, end, step.While),
				"wait for an event that comes while it is under way")
			return
		}
	}
	if !fired[Ref{step.While, Started}] {
		c.add(stepField(step.Name, "while"),
			fmt.Sprintf("%s need not have started when this step starts", step.While),
			fmt.Sprintf("write an event of %s, such as %s.%s, into after", step.While, step.While, Started))
	}
}

// clash finds two events that both end one activity.
func (c *checker) clash(fired map[Ref]bool) (one, other Ref, found bool) {
	for _, step := range c.plan.Steps {
		if step.Activity == nil {
			continue
		}
		ends := slices.DeleteFunc(slices.Clone(step.Activity.Ends), func(end string) bool { return !fired[Ref{step.Name, end}] })
		if ends = slices.Compact(ends); len(ends) > 1 {
			return Ref{step.Name, ends[0]}, Ref{step.Name, ends[1]}, true
		}
	}
	return Ref{}, Ref{}, false
}
