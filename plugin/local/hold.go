package local

import (
	"fmt"
	"slices"
	"strings"
)

// holder is a fault that holds a link. The link's lock guards it.
type holder struct {
	fault      *applied
	directions [2]bool
	awaited    int // so many requests have to begin before it holds
	// next has the pods that the fault selected: whether it acts on the pod's
	// next process too.
	next map[*pod]bool
}

// hold has a fault hold its links, and returns what that is, for a reader.
func (c *Cluster) hold(a *applied) string {
	var what []string
	for i, link := range c.links {
		directions, held := a.effect.holds[i]
		if !held {
			continue
		}
		h := &holder{fault: a, directions: directions, awaited: a.effect.awaited, next: map[*pod]bool{}}
		for _, p := range []*pod{link.from, link.to} {
			if p != nil && slices.Contains(a.effect.selected, p.Name) {
				h.next[p] = p.current == nil || p.current.dying()
			}
		}
		what = append(what, fmt.Sprintf("%s (%d connections)", link, link.hold(h)))
	}
	return strings.Join(what, ", ")
}

// dropHeld drops what the pod's links hold of a process that has ended: it
// never arrives.
func (c *Cluster) dropHeld(p *pod, process *process) {
	for _, link := range c.links {
		if link.to == p {
			link.refuse()
		}
		if link.from == p || link.to == p {
			for _, h := range link.dropHeld() {
				h.fault.note(fmt.Sprintf("%s of pod %s has gone: what the link %s held is dropped", process, p.Name, link))
			}
		}
	}
}

// freeReplacement frees the pod's new process of the faults on those before.
func (c *Cluster) freeReplacement(p *pod) {
	for _, link := range c.links {
		link.lift(func(h *holder) bool {
			next, selected := h.next[p]
			if selected && !next {
				h.fault.note(fmt.Sprintf("pod %s has a new process: the link %s is free of this fault", p.Name, link))
				return true
			}
			if selected {
				h.next[p] = false
			}
			return false
		})
	}
}
