package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Measures of a drawing in pixels; along the axis it has percents of its width, so
// that its words keep their size in a window of any width.
const (
	axisHeight = 24
	rowHeight  = 36
	labelAt    = 14  // a row's words, from its top
	trackAt    = 20  // and its spans
	trackSize  = 11  // their height, which the page's style has too
	margin     = 2.0 // percent on both sides
	maxLabel   = 58
)

// drawing is a chart with places.
type drawing struct {
	Chart
	ID     int
	Origin string
	// Height is that of the whole, and Depth that of the lanes.
	Height, Depth int
	Rows          []drawnRow
	Lanes         []drawnLane
	Claims        []drawnClaim
}

type drawnRow struct {
	Row
	Anchor string
}

type drawnLane struct {
	Lane
	Label string
	Y     int
}

type drawnClaim struct {
	Arrow
	Label string
	Y     int
}

func draw(id int, origin string, c Chart) drawing {
	d := drawing{Chart: c, ID: id, Origin: origin, Height: axisHeight}
	row := func() int {
		d.Height += rowHeight
		return d.Height - rowHeight
	}
	for i, one := range c.Rows {
		d.Rows = append(d.Rows, drawnRow{one, d.Anchor(i)})
	}
	for _, lane := range c.Lanes {
		d.Lanes = append(d.Lanes, drawnLane{lane, lane.label(), row()})
	}
	d.Depth = d.Height - axisHeight
	for _, arrow := range c.Arrows {
		word := "✗ NO: "
		if arrow.Holds {
			word = "✓ "
		}
		d.Claims = append(d.Claims, drawnClaim{arrow, document.OneLine(word+arrow.Text, maxLabel), row()})
	}
	return d
}

// label is a lane's name, and what it came to.
func (l Lane) label() string {
	var texts []string
	for _, span := range l.Spans {
		// What the system adds in brackets has no room here.
		if text, _, _ := strings.Cut(span.Text, " ("); span.State != Fault && (len(texts) == 0 || texts[len(texts)-1] != text) {
			texts = append(texts, text)
		}
	}
	if l.About != "" {
		texts = append([]string{l.About}, texts...)
	}
	return document.OneLine(colon(l.Name, strings.Join(texts, " → ")), maxLabel)
}

// Anchor is the name of a row on the page.
func (d drawing) Anchor(row int) string { return fmt.Sprintf("r%de%d", d.ID, row+1) }

// X is where a moment is, in percent of the drawing's width.
func (d drawing) X(at time.Duration) string { return percentOf(d.place(at)) }

func (d drawing) place(at time.Duration) float64 {
	share := float64(at-d.From) / float64(d.To-d.From)
	return margin + (100-2*margin)*min(max(0, share), 1)
}

// Width is that of a time.
func (d drawing) Width(from, to time.Duration) string {
	return percentOf((100 - 2*margin) * float64(max(0, min(to, d.To)-max(from, d.From))) / float64(d.To-d.From))
}

// drawnMark is a mark, or several that are so near each other that a screen shows one.
type drawnMark struct {
	Mark
	// X is where it is, and Early where the earliest is that it can have been; empty
	// when that is known.
	X, Early string
	// Tells are the anchors of the rows that tell of it.
	Tells string
}

// nearest is how near marks are that are drawn as one, in percent.
const nearest = 0.05

// Marks are those of a lane.
func (d drawing) Marks(lane Lane) []drawnMark {
	var marks []drawnMark
	for _, mark := range lane.Marks {
		if last := len(marks) - 1; last >= 0 && d.place(mark.At)-d.place(marks[last].At) < nearest {
			marks[last].Tells += " " + d.Anchor(mark.Row)
			continue
		}
		one := drawnMark{Mark: mark, X: d.X(mark.At), Tells: d.Anchor(mark.Row)}
		if mark.NotBefore < mark.At {
			one.Early = d.X(mark.NotBefore)
		}
		marks = append(marks, one)
	}
	return marks
}

// Ticks are those that a narrow window has room for.
func (d drawing) Ticks() []Tick { return d.Chart.Ticks(8) }

// Top is where the axis is.
func (d drawing) Top() int { return axisHeight }

func (l drawnLane) LabelY() int { return l.Y + labelAt }
func (l drawnLane) Track() int  { return l.Y + trackAt }
func (l drawnLane) Middle() int { return l.Y + trackAt + trackSize/2 }

func (c drawnClaim) LabelY() int { return c.Y + labelAt }
func (c drawnClaim) Line() int   { return c.Y + trackAt + trackSize/2 }
func (c drawnClaim) Cross() int  { return c.Line() + 4 }

// Legs are the parts of the arrow between its events.
func (c drawnClaim) Legs() []leg {
	var legs []leg
	for i := 1; i < len(c.Points); i++ {
		legs = append(legs, leg{c.Points[i-1].At, c.Points[i].At, i == len(c.Points)-1})
	}
	return legs
}

// leg is a part of an arrow; the last has the tip.
type leg struct {
	From, To time.Duration
	Tip      bool
}

// percentOf writes a share of the width, with no zeros at its end.
func percentOf(share float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", share), "0"), ".") + "%"
}
