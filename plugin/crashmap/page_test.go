package crashmap

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestPage: each point has its cell, in the order of time, and what is not covered is
// shown as such, on the page and in the text.
func TestPage(t *testing.T) {
	m := &Map{Runs: 7, Starts: []Start{{
		Call: "dig.instantiate", State: "Approved", Answered: 374 * time.Millisecond, End: &View{State: "Instantiated", Edge: "nothing"}, Further: 8,
		Points: []Point{
			{Name: "d-mongo", Where: "before mongo", Path: []string{"mongo"}, Consequence: NothingDone, Words: "w", Run: "r1"},
			{Name: "d-mongo-done", Where: "after the work of mongo", Path: []string{"mongo"}, Consequence: Stuck, Words: "is wedged", Run: "r2", File: "d.yaml", Replays: 3, Replayed: 2, WayOut: "a restart"},
			{Name: "d-etcd", Where: "before etcd", Path: []string{"etcd"}, Words: "EMCO was away"},
			{Name: "d-moment-1", Where: "4ms after the call was sent", Moment: 20 * time.Millisecond, Consequence: Stuck, Words: "is wedged", File: "m.yaml", WayOut: "a restart"},
		},
	}}}
	page := m.Page()
	var cells []string
	for _, cell := range page.Bars[0].Cells {
		cells = append(cells, fmt.Sprintf("%s %s %d %s %s", cell.Symbol, cell.Place, cell.Kind, cell.Run, cell.File))
	}
	want := "· →mongo 1 r1 |S mongo→ 5 r2 d.yaml|? →etcd 0  |S 20ms 5  m.yaml|?  0  "
	if got := strings.Join(cells, "|"); got != want {
		t.Errorf("the cells are\n%s\nwant\n%s", got, want)
	}
	if got := page.Legend[5]; got.Symbol != "S" || got.Text != "stuck" || got.Kind != 5 {
		t.Errorf("the legend of stuck is %+v", got)
	}
	if want := "3 of 4 points covered by 7 runs, 1 findings at 2 of them"; page.Tally != want {
		t.Errorf("the tally is %q, want %q", page.Tally, want)
	}
	places := strings.Join(page.Findings[0].Places, "\n")
	if len(page.Findings) != 1 || page.Findings[0].Text != "stuck: is wedged" ||
		places != "d-mongo-done: d.yaml, replayed 2 of 3; way out: a restart\nd-moment-1: m.yaml; way out: a restart" {
		t.Errorf("the findings are %+v", page.Findings)
	}
	notes := strings.Join(page.Bars[0].Notes, "\n")
	for _, part := range []string{"stuck in 1 of 1 kills", "led past 8 back ends", "Not complete"} {
		if !strings.Contains(notes, part) {
			t.Errorf("the notes do not say %q:\n%s", part, notes)
		}
	}
	var text strings.Builder
	if err := Text(&text, m); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"  ·S?S … not complete\n  · before mongo: nothing done (w)\n",
		"  ? the call goes on: it was led past 8 back ends, and --longest leads it further\n  stuck in 1 of 1 kills",
	} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the text does not say %q:\n%s", part, &text)
		}
	}
}
