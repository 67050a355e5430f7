package report

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// A terminal has 80 columns, of which names have some. A text in a span that is cut
// has so many characters at least.
const (
	columns   = 80
	nameWidth = 13
	plotWidth = columns - nameWidth - 1
	shortest  = 12
)

// fills draw the spans, by their states.
var fills = map[State]rune{
	Running: '~', Fault: '#', Up: '-', Down: '.', Status: '_',
	State(activity.Passed): '=', State(activity.Failed): 'x', State(activity.Inconclusive): '?', State(activity.Errored): '!',
}

// column is where a moment is drawn.
func (c Chart) column(at time.Duration) int {
	return min(max(0, int(float64(at-c.From)/float64(c.To-c.From)*(plotWidth-1)+0.5)), plotWidth-1)
}

// lanes draws the lanes of a run for a terminal.
func lanes(r Run) string {
	var b strings.Builder
	c := r.Chart()
	line := func(name, plot string) {
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%-*s %s", nameWidth, document.OneLine(name, nameWidth-1), plot), " "))
	}
	empty := []rune(strings.Repeat(" ", plotWidth))
	axis := slices.Clone(empty)
	for _, tick := range c.Ticks(plotWidth / 8) {
		if at := c.column(tick.At); at+len(tick.Text) <= plotWidth {
			copy(axis[at:], []rune(tick.Text))
		}
	}
	line("seconds", string(axis))
	for _, lane := range c.Lanes {
		plot := slices.Clone(empty)
		for _, span := range lane.Spans {
			from, to := c.column(span.From), c.column(span.To)
			for at := from; at <= to; at++ {
				plot[at] = fills[span.State]
			}
			plot[from] = '|'
			// What is cut to a few letters says nothing.
			if room := to - from - 2; room >= min(shortest, utf8.RuneCountInString(span.Text)) && room > 0 {
				copy(plot[from+1:], []rune(" "+document.OneLine(span.Text, room-1)+" "))
			}
		}
		for _, mark := range lane.Marks {
			plot[c.column(mark.At)] = '|'
		}
		line(lane.Name, string(plot))
	}
	for _, arrow := range c.Arrows {
		if !arrow.Holds {
			line("NOT TRUE", document.OneLine(arrow.Text, plotWidth-1))
		}
	}
	b.WriteString("\n")
	return b.String()
}

// Tick is a moment of the axis that is written there.
type Tick struct {
	At   time.Duration
	Text string
}

// Ticks are at most so many moments of the axis, at round numbers of seconds.
func (c Chart) Ticks(most int) []Tick {
	step := time.Millisecond
	for i := 0; (c.To-c.From)/step >= time.Duration(most); i++ {
		step = step * []time.Duration{2, 25, 2}[i%3] / []time.Duration{1, 10, 1}[i%3]
	}
	var ticks []Tick
	first := c.From.Truncate(step)
	if first < c.From {
		first += step
	}
	for at := first; at <= c.To; at += step {
		ticks = append(ticks, Tick{at, fmt.Sprintf("%g", at.Seconds())})
	}
	return ticks
}
