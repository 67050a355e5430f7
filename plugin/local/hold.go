package local

import (
	"fmt"
	"slices"
	"strings"
)

// holder is a fault that holds a link.
type holder struct {
	fault      *applied
	directions [2]bool
	from       *beginning
	// next has the pods that the fault selected: whether it acts on the pod's
	// next process too.
	next map[*pod]bool
}

// beginning is when a fault begins to hold a link. The link's lock guards it.
type beginning struct {
	passing int // so many requests pass
	begun   bool
}

func (b *beginning) request() {
	if b.passing == 0 {
		b.begun = true
	} else {
		b.passing--
	}
}

// hold has a fault hold its links, and returns what that is, for a reader.
func (c *Cluster) hold(a *applied) string {
	var what []string
	for i, link := range c.links {
		directions, held := a.effect.holds[i]
		if !held {
			continue
		}
		first := a.effect.request == 1
		h := holder{fault: a, directions: directions, from: &beginning{a.effect.request - 1, first}, next: map[*pod]bool{}}
		for _, p := range []*pod{link.from, link.to} {
			if p != nil && slices.Contains(a.effect.selected, p.Name) {
				h.next[p] = p.current == nil || p.current.dying()
			}
		}
		link.holders = append(link.holders, h)
		what = append(what, fmt.Sprintf("%s (%d connections)", link, link.gate()))
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
		if (link.from == p || link.to == p) && link.dropHeld() {
			for _, h := range link.holders {
				h.fault.note(fmt.Sprintf("%s of pod %s has gone: what the link %s held is dropped", process, p.Name, link))
			}
		}
	}
}

// freeReplacement frees the pod's new process of the faults on those before.
func (c *Cluster) freeReplacement(p *pod) {
	for _, link := range c.links {
		link.lift(func(h holder) bool {
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

// lift takes faults off the link. The cluster's lock is held.
func (l *link) lift(off func(holder) bool) {
	l.holders = slices.DeleteFunc(l.holders, off)
	l.gate()
}

// gate has the link heed the faults that hold it, and returns how many
// connections there are. The cluster's lock is held.
func (l *link) gate() int {
	return l.hold(slices.Clone(l.holders))
}
