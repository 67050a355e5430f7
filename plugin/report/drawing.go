package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// Measures of a drawing in pixels; along the axis it has percents of its width, so
// that its words keep their size in a window of any width. What is within a row the
// page's template places.
const (
	axisHeight = 24
	rowHeight  = 36
	margin     = 2.0 // percent on both sides
	maxLabel   = 58
)

// drawing is a chart with places: below its axis a row for each lane, and then one
// for each arrow.
type drawing struct {
	Chart
	ID     int
	Origin string
}

// Y is where a row begins, Depth how high that many rows are.
func (d drawing) Y(row int) int      { return axisHeight + d.Depth(row) }
func (d drawing) Depth(rows int) int { return rows * rowHeight }

// Label is a lane's name, and what it came to.
func (l Lane) Label() string {
	var texts []string
	for _, span := range l.Spans {
		// What the system adds in brackets has no room here.
		if text, _, _ := strings.Cut(span.Text, " ("); span.State != Fault {
			texts = append(texts, text)
		}
	}
	texts = slices.Compact(texts)
	if l.About != "" {
		texts = slices.Insert(texts, 0, l.About)
	}
	return document.OneLine(colon(l.Name, strings.Join(texts, " → ")), maxLabel)
}

// Label is the claim, and whether it holds.
func (a Arrow) Label() string {
	word := "✗ NO: "
	if a.Holds {
		word = "✓ "
	}
	return document.OneLine(word+a.Text, maxLabel)
}

// Anchor is the name of a row of the table on the page.
func (d drawing) Anchor(row int) string { return fmt.Sprintf("r%de%d", d.ID, row+1) }

// X is where a moment is, in percent of the drawing's width.
func (d drawing) X(at time.Duration) string { return percentOf(d.place(at)) }

func (d drawing) place(at time.Duration) float64 {
	share := float64(at-d.From) / float64(d.To-d.From)
	return margin + (100-2*margin)*min(max(0, share), 1)
}

// Width is that of a time.
func (d drawing) Width(from, to time.Duration) string {
	return percentOf(max(0, d.place(to)-d.place(from)))
}

// drawnMark is a mark, or several that are so near each other that a screen shows one.
type drawnMark struct {
	Mark
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
		} else {
			marks = append(marks, drawnMark{mark, d.Anchor(mark.Row)})
		}
	}
	return marks
}

// percentOf writes a share of the width, with no zeros at its end.
func percentOf(share float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.2f", share), "0"), ".") + "%"
}
