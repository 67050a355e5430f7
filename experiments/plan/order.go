package plan

import (
	"fmt"
	"slices"
	"strings"
)

// link says that an event comes after another one, and why.
type link struct {
	to    Ref
	why   string
	field string // where the plan says so; empty when it lies in the step's nature
	sure  bool   // the other event must have fired; else it comes first if it does
	// either: it is one of several events of which one must have fired; it need not come first.
	either bool
}

// podFailure is the action that keeps down what it stops until it is removed.
const podFailure = "pod-failure"

// How one event waits for another.
const (
	comesAfter = "comes after"
	waitsUntil = "waits until"
)

func first(step Step) Ref {
	if step.Fault != nil {
		return Ref{step.Name, Created}
	}
	return Ref{step.Name, Started}
}

// links are the events that the event waits for.
func (c *checker) links(ref Ref) []link {
	step, known := c.steps[ref.Step]
	unread := slices.Contains(c.unread, ref.Step)
	switch {
	case !known, !unread && !step.Emits(ref.Event):
		return nil
	case unread, ref == first(step):
		links := waitsFor(step, "after", step.After, link{why: comesAfter, sure: true})
		return append(links, c.waitsForAny(step)...)
	}
	after := func(event string) link { return link{to: Ref{step.Name, event}, why: comesAfter, sure: true} }
	links := []link{after(first(step).Event)}
	switch {
	case step.Fault == nil:
	case ref.Event == Rescheduled:
		links = append(links, after(Down))
	case ref.Event == Ready:
		links = append(links, after(Down), link{to: Ref{step.Name, Rescheduled}, why: comesAfter})
		if step.Fault.Action == podFailure { // it lasts until it is removed
			links = append(links, after(Removed))
		}
	case ref.Event == Removed && step.For > 0:
		links = append(links, after(Injected))
	case ref.Event == Removed:
		links = append(links, waitsFor(step, "until", step.Until, link{why: waitsUntil})...)
	}
	return links
}

// waitsFor makes links of the events in a field of a step.
func waitsFor(step Step, key string, refs []Ref, like link) []link {
	links := make([]link, len(refs))
	for i, ref := range refs {
		like.to, like.field = ref, step.element(key, i)
		links[i] = like
	}
	return links
}

// waitsForAny makes links of the events of which one is enough. Those of one step
// have its start before them, whichever it is.
func (c *checker) waitsForAny(step Step) []link {
	links := waitsFor(step, "afterAny", step.AfterAny, link{why: comesAfter, either: true})
	for i, one := range links {
		other, known := c.steps[one.to.Step]
		if !known || other.Name != links[0].to.Step {
			return links
		}
		if i == len(links)-1 {
			links = append(links, link{to: first(other), why: comesAfter, sure: true})
		}
	}
	return links
}

// needed is the events, and all that must have fired before them.
func (c *checker) needed(refs ...Ref) map[Ref]bool {
	return reach(refs, func(ref Ref) []link {
		return slices.DeleteFunc(c.links(ref), func(link link) bool { return !link.sure })
	})
}

// reach is the events, and those that the links of each lead to.
func reach(refs []Ref, links func(Ref) []link) map[Ref]bool {
	seen := map[Ref]bool{}
	for waiting := slices.Clone(refs); len(waiting) > 0; waiting = waiting[1:] {
		if ref := waiting[0]; !seen[ref] {
			seen[ref] = true
			for _, link := range links(ref) {
				waiting = append(waiting, link.to)
			}
		}
	}
	return seen
}

// waits finds events that wait for each other.
func (c *checker) waits() {
	seen, open := map[Ref]bool{}, map[Ref]bool{}
	var visit func(path []link)
	visit = func(path []link) {
		ref := path[len(path)-1].to
		switch {
		case open[ref]:
			c.deadlock(path)
			return
		case seen[ref]:
			return
		}
		seen[ref], open[ref] = true, true
		for _, link := range c.links(ref) {
			visit(append(path, link))
		}
		open[ref] = false
	}
	for _, step := range c.plan.Steps {
		for _, event := range step.Events() {
			visit([]link{{to: Ref{step.Name, event}}})
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
		c.add(step.field("after"),
			fmt.Sprintf("can never be met: it needs %s and %s, and only one of them comes", one, other),
			"wait for one of them")
		return
	}
	other, known := c.steps[step.While]
	if !known || other.Activity == nil || step.While == step.Name {
		return
	}
	field := step.field("while")
	for _, end := range other.Activity.Ends {
		if fired[Ref{step.While, end}] {
			c.add(field,
				fmt.Sprintf("can never be met: the step starts after %s.%s, when %s is over", step.While, end, step.While),
				"wait for an event that comes while it is under way")
			return
		}
	}
	c.want(fired[Ref{step.While, Started}], field, fmt.Sprintf("%s need not have started when this step starts", step.While),
		fmt.Sprintf("write an event of %s, such as %s.%s, into after", step.While, step.While, Started))
}

// clash finds two events that both end one activity.
func (c *checker) clash(fired map[Ref]bool) (one, other Ref, found bool) {
	for _, step := range c.plan.Steps {
		ends := slices.DeleteFunc(slices.Clone(step.Ends()), func(end string) bool { return !fired[Ref{step.Name, end}] })
		if ends = slices.Compact(ends); len(ends) > 1 {
			return Ref{step.Name, ends[0]}, Ref{step.Name, ends[1]}, true
		}
	}
	return Ref{}, Ref{}, false
}
