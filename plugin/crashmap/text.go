package crashmap

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// symbols stand for consequences in a bar; a place without one has a question mark.
var symbols = map[Consequence]string{
	NothingDone: "·", ByItself: "=", Behind: "B", EndsFailed: "F", Stuck: "S", Leaks: "L", Late: "T", "": "?",
}

const maxWords = 300

// Text writes a map for a reader: a bar for each call, its points in the order in
// which they were reached, and the findings.
func Text(out io.Writer, m *Map) error {
	var b strings.Builder
	for _, start := range m.Starts {
		fmt.Fprintf(&b, "%s\n  ", start.title())
		for _, point := range start.Points {
			b.WriteString(symbols[point.Consequence])
		}
		if !start.Complete {
			b.WriteString(" … not complete")
		}
		b.WriteString("\n")
		for _, point := range start.Points {
			fmt.Fprintf(&b, "  %s %s\n", symbols[point.Consequence], line(point))
		}
		if start.Further > 0 {
			fmt.Fprintf(&b, "  %s the call goes on: it was led past %d back ends, and --longest leads it further\n", symbols[""], start.Further)
		}
		for _, odds := range start.odds() {
			fmt.Fprintf(&b, "  %s\n", odds)
		}
	}
	b.WriteString("\n")
	for _, consequence := range Consequences() {
		fmt.Fprintf(&b, "%s %s  ", symbols[consequence], consequence)
	}
	b.WriteString("? not covered\n\n")
	for _, group := range m.groups() {
		fmt.Fprintf(&b, "%s: %s\n", group[0].Consequence, document.OneLine(group[0].Words, maxWords))
		for _, point := range group {
			fmt.Fprintf(&b, "  %s\n", point.replay())
		}
	}
	fmt.Fprintln(&b, m.tally())
	_, err := io.WriteString(out, b.String())
	return err
}

// title tells a start in a line: what it comes to without a fault.
func (s Start) title() string {
	title := fmt.Sprintf("%s from %s", s.Call, s.State)
	if s.End != nil {
		title += fmt.Sprintf(": answered within %v, ends %s", s.Answered.Round(time.Millisecond), describe(*s.End))
	}
	return title
}

// replay tells which file replays a finding, how often it did, and what helps.
func (p Point) replay() string {
	text := p.File
	if p.Replays > 0 {
		text += fmt.Sprintf(", replayed %d of %d", p.Replayed, p.Replays)
	}
	return text + "; way out: " + p.WayOut
}

func (m *Map) tally() string {
	points, covered := m.Points()
	return fmt.Sprintf("%d of %d points covered by %d runs, %d findings at %d of them",
		covered, points, m.Runs, len(m.groups()), len(m.Findings()))
}

// groups are the findings, those of one consequence in the same words of EMCO's
// together.
func (m *Map) groups() [][]Point {
	var groups [][]Point
	for _, consequence := range Consequences() {
		for _, point := range m.Findings() {
			if point.Consequence != consequence {
				continue
			}
			at := slices.IndexFunc(groups, func(group []Point) bool { return group[0].like(point) })
			if at < 0 {
				at, groups = len(groups), append(groups, nil)
			}
			groups[at] = append(groups[at], point)
		}
	}
	return groups
}

// like reports whether two points have the same finding.
func (p Point) like(other Point) bool {
	return p.Consequence == other.Consequence && p.Words == other.Words
}

// line tells a point in a line.
func line(p Point) string {
	text := fmt.Sprintf("%s: %s", p.Where, cmp.Or(string(p.Consequence), "not covered"))
	if p.Moment > 0 {
		text += fmt.Sprintf(", the connection broke %v after the call was sent", p.Moment.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s (%s)", text, document.OneLine(p.Words, maxWords))
}

// odds are how often a kill at a random moment led to each finding, with the
// interval of Wilson's score for 95 %.
func (s Start) odds() []string {
	count, all := map[Consequence]int{}, 0
	for _, point := range s.Points {
		if len(point.Path) == 0 && point.Consequence != "" {
			count[point.Consequence]++
			all++
		}
	}
	var odds []string
	for _, consequence := range Consequences() {
		if n := count[consequence]; n > 0 {
			share := statistics.Wilson(n, all)
			odds = append(odds, fmt.Sprintf("%s in %d of %d kills at random moments, %.1f–%.1f %%", consequence, n, all, 100*share.Low, 100*share.High))
		}
	}
	return odds
}

// Difference of a finding to an earlier map.
type Difference string

// The differences.
const (
	New  Difference = "new"
	Gone Difference = "gone"
	Same Difference = "same"
)

// Differences lists them all.
func Differences() []Difference { return []Difference{New, Gone, Same} }

// Compare sorts the findings of a map, and of an earlier one, by what has become
// of them; one of another consequence is new. Those at random moments are left
// out: they do not come back. So are those of the earlier map that the later one
// has not covered.
func Compare(earlier, later *Map) map[Difference][]Point {
	differences := map[Difference][]Point{}
	was := map[string]Consequence{}
	for _, point := range earlier.Findings() {
		was[point.Name] = point.Consequence
	}
	for _, point := range later.all() {
		before, found := was[point.Name], point.Consequence.Finding()
		switch {
		case len(point.Path) == 0 || point.Consequence == "":
		case found && before == point.Consequence:
			differences[Same] = append(differences[Same], point)
		case found:
			differences[New] = append(differences[New], point)
		case before != "":
			point.Consequence = before
			differences[Gone] = append(differences[Gone], point)
		}
	}
	return differences
}
