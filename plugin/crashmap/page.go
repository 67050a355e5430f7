package crashmap

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// Page is what an HTML page shows of the map.
func (m *Map) Page() report.CrashMap {
	page := report.CrashMap{Tally: m.tally(), Legend: []report.Cell{{Symbol: symbols[""], Text: "not covered"}}}
	for i, consequence := range Consequences() {
		page.Legend = append(page.Legend, report.Cell{Symbol: symbols[consequence], Text: string(consequence), Kind: i + 1})
	}
	for _, start := range m.Starts {
		page.Bars = append(page.Bars, start.bar())
	}
	for _, group := range m.groups() {
		finding := report.CrashFinding{Text: fmt.Sprintf("%s: %s", group[0].Consequence, group[0].Words)}
		for _, point := range group {
			finding.Places = append(finding.Places, point.Name+": "+point.replay())
		}
		page.Findings = append(page.Findings, finding)
	}
	return page
}

func (s Start) bar() report.Bar {
	bar := report.Bar{Title: s.title(), Notes: s.odds()}
	for _, point := range s.Points {
		bar.Cells = append(bar.Cells, report.Cell{
			Symbol: symbols[point.Consequence], Text: line(point), Place: point.place(), Kind: slices.Index(Consequences(), point.Consequence) + 1,
			Run: point.Run, File: point.File,
		})
	}
	if s.Further > 0 {
		bar.Cells = append(bar.Cells, report.Cell{Symbol: symbols[""], Text: "the call goes on, and what follows is not covered"})
		bar.Notes = append(bar.Notes, fmt.Sprintf("The call goes on: it was led past %d back ends, and what follows is not covered.", s.Further))
	}
	if !s.Complete {
		bar.Notes = append(bar.Notes, "Not complete: there are points left to try.")
	}
	return bar
}

// place is where a point is, in the few letters that a bar has room for.
func (p Point) place() string {
	if len(p.Path) == 0 {
		return p.Moment.Round(time.Millisecond).String()
	}
	last := p.Path[len(p.Path)-1]
	if strings.HasSuffix(p.Name, "-done") {
		return last + "→"
	}
	return "→" + last
}
