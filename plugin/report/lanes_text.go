package report

import (
	"fmt"
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
var fills = map[State]string{
	Running: "~", Fault: "#", Up: "-", Down: ".", Status: "_",
	State(activity.Passed): "=", State(activity.Failed): "x", State(activity.Inconclusive): "?", State(activity.Errored): "!",
}

// column is where a moment is drawn.
func (c Chart) column(at time.Duration) int {
	return min(max(0, int(float64(at-c.From)/float64(c.To-c.From)*(plotWidth-1)+0.5)), plotWidth-1)
}

// lanes draws the lanes of a run for a terminal.
func lanes(b *strings.Builder, r Run) {
	c := r.Chart()
	line := func(name, plot string) {
		fmt.Fprintln(b, strings.TrimRight(fmt.Sprintf("%-*s %s", nameWidth, document.OneLine(name, nameWidth-1), plot), " "))
	}
	axis := newPlot()
	for _, tick := range c.Ticks(plotWidth / 8) {
		if at := c.column(tick.At); at+len(tick.Text) <= plotWidth {
			axis.write(at, tick.Text)
		}
	}
	line("seconds", axis.String())
	for _, lane := range c.Lanes {
		plot := newPlot()
		for _, span := range lane.Spans {
			from, to := c.column(span.From), c.column(span.To)
			for at := from; at <= to; at++ {
				plot[at] = fills[span.State]
			}
			plot[from] = "|"
			// What is cut to a few letters says nothing.
			if room := to - from - 2; room >= min(shortest, utf8.RuneCountInString(span.Text)) && room > 0 {
				plot.write(from+1, " "+document.OneLine(span.Text, room-1)+" ")
			}
		}
		for _, mark := range lane.Marks {
			plot[c.column(mark.At)] = "|"
		}
		line(lane.Name, plot.String())
	}
	for _, arrow := range c.Arrows {
		if !arrow.Holds {
			line("NOT TRUE", document.OneLine(arrow.Text, plotWidth-1))
		}
	}
	b.WriteString("\n")
}

// plot is one line of a drawing, a text a column.
type plot []string

func newPlot() plot {
	p := make(plot, plotWidth)
	for i := range p {
		p[i] = " "
	}
	return p
}

// write writes a text from a column on, as far as there is room.
func (p plot) write(at int, text string) {
	for _, char := range text {
		if at < len(p) {
			p[at] = string(char)
		}
		at++
	}
}

func (p plot) String() string { return strings.Join(p, "") }

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
