package crashmap

import (
	"cmp"
	_ "embed" // of the text
	"fmt"
	"io"
	"slices"
	"text/template"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/statistics"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// symbols stand for consequences in a bar; a place without one has a question mark.
var symbols = map[Consequence]string{
	NothingDone: "·", ByItself: "=", Behind: "B", EndsFailed: "F", Stuck: "S", Leaks: "L", Late: "T", "": "?",
}

var (
	//go:embed map.gotmpl
	mapText string

	form = template.Must(template.New("map").Funcs(template.FuncMap{
		"consequences": Consequences, "symbol": func(c Consequence) string { return symbols[c] }, "tally": (*Map).tally, "groups": (*Map).groups,
		"title": Start.title, "odds": Start.odds, "line": line, "words": Point.words, "replay": Point.replay,
	}).Parse(mapText))
)

// Text writes a map for a reader: a bar for each call, its points in the order in
// which they were reached, and the findings.
func Text(out io.Writer, m *Map) error { return form.Execute(out, m) }

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

// words are what was said of the point, in a line of bounded length.
func (p Point) words() string { return document.OneLine(p.Words, 300) }

// line tells a point in a line.
func line(p Point) string {
	text := fmt.Sprintf("%s: %s", p.Where, cmp.Or(string(p.Consequence), "not covered"))
	if p.Moment > 0 {
		text += fmt.Sprintf(", the connection broke %v after the call was sent", p.Moment.Round(time.Millisecond))
	}
	return fmt.Sprintf("%s (%s)", text, p.words())
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
