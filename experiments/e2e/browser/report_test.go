package browser

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// recorded are journals of real runs.
const recorded = "../../../plugin/report/testdata"

func records(t *testing.T, name string) []journal.Record {
	t.Helper()
	file, err := os.Open(filepath.Join(recorded, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all, err := journal.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// write writes a page with these runs, and a crash map.
func write(t *testing.T, runs ...report.Run) string {
	t.Helper()
	var bar report.Bar
	legend := []report.Cell{{Symbol: "?", Text: "not covered"}}
	for kind, symbol := range strings.Split("·=BFSLT", "") {
		legend = append(legend, report.Cell{Symbol: symbol, Text: "consequence " + symbol, Kind: kind + 1})
	}
	for _, cell := range slices.Concat(legend, legend, legend) {
		cell.Place, cell.Run = "→mongo", runs[0].Name
		bar.Cells = append(bar.Cells, cell)
	}
	bar.Title, bar.Notes = "dig.instantiate from Approved", []string{"stuck in 1 of 2 kills"}
	page := report.Page{Maps: []report.CrashMap{{Tally: "21 points", Legend: legend, Bars: []report.Bar{bar},
		Findings: []report.CrashFinding{{Text: "stuck: is wedged", Places: []string{"dig-instantiate-approved-mongo.yaml"}}}}}}
	path := filepath.Join(t.TempDir(), "report.html")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := page.Write(file, runs...); err != nil {
		t.Fatal(err)
	}
	return path
}

func some(t *testing.T) string {
	t.Helper()
	return write(t, report.Runs(slices.Concat(records(t, "passed.jsonl"), records(t, "failed.jsonl"), records(t, "died.jsonl"), many(t)))...)
}

// many are the records of a run with many faults, each of which has its times.
func many(t *testing.T) (all []journal.Record) {
	t.Helper()
	one := records(t, "passed.jsonl")
	kill, _ := one[0].Plan.Find("kill")
	one[0].Plan.Experiment = "all-services-die-in-flight"
	names := []string{"kill-dcm", "kill-clm", "kill-rsync", "kill-mongo", "kill-etcd"}
	for _, name := range names {
		kill.Name = name
		one[0].Plan.Steps = append(one[0].Plan.Steps, kill)
	}
	for _, record := range one {
		all = append(all, record)
		for _, name := range names {
			if record.Step == "kill" {
				record.Step = name
				all = append(all, record)
				record.Step = "kill"
			}
		}
	}
	return all
}

// windows are how the page is looked at.
var windows = []struct {
	scheme string
	width  int64
}{{"light", 1280}, {"dark", 1280}, {"light", 400}, {"dark", 400}}

// openAll opens all runs, and waits until they are drawn.
const openAll = `document.querySelectorAll("details").forEach(each => each.open = true);
	new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(document.querySelectorAll("a, summary").length))))`

// TestQuiet: the page asks for nothing, says nothing on the console, and is no wider
// than its window.
func TestQuiet(t *testing.T) {
	b, page := newTab(t), some(t)
	for _, window := range windows {
		name := fmt.Sprintf("%s-%d", window.scheme, window.width)
		b.open(t, page, window.scheme, window.width)
		b.picture(t, name+".png")
		ask[int](t, b, openAll)
		b.picture(t, name+"-open.png")
		if over := ask[int](t, b, `document.documentElement.scrollWidth - innerWidth`); over > 0 {
			t.Errorf("%s: the page is %d pixels wider than its window", name, over)
		}
		b.mu.Lock()
		if want := []string{"file://" + page}; !slices.Equal(b.requests, want) || len(b.messages) > 0 {
			t.Errorf("%s: the page asks for %q and says %q", name, b.requests, b.messages)
		}
		b.mu.Unlock()
	}
}

func TestAccessible(t *testing.T) {
	b, page, script := newTab(t), some(t), accessibility(t)
	for _, window := range windows {
		b.open(t, page, window.scheme, window.width)
		ask[int](t, b, openAll)
		ask[any](t, b, script+"; null")
		type found struct {
			Violations []string
			Passes     int
		}
		got := ask[found](t, b, `axe.run().then(result => ({
			violations: result.violations.flatMap(each => each.nodes.map(node => each.id + ": " + node.html + ": " + node.failureSummary)),
			passes: result.passes.length}))`)
		if len(got.Violations) > 0 || got.Passes < 10 {
			t.Errorf("%s, %d pixels: %d rules pass, and these are broken:\n%s", window.scheme, window.width, got.Passes, strings.Join(got.Violations, "\n"))
		}
	}
}

// TestKeyboard: Tab comes to every link and every run, and Enter on a mark leads to
// its words.
func TestKeyboard(t *testing.T) {
	b, page := newTab(t), some(t)
	b.open(t, page, "light", 400)
	all := ask[int](t, b, openAll)
	ask[any](t, b, `reach = new Set(document.querySelectorAll("a, summary")); null`)
	if all < 50 {
		t.Fatalf("the page has %d links and runs", all)
	}
	for range all {
		b.do(t, chromedp.KeyEvent("\t"))
		ask[bool](t, b, `reach.delete(document.activeElement)`)
	}
	if left := ask[[]string](t, b, `[...reach].map(each => each.outerHTML.slice(0, 200))`); len(left) > 0 {
		t.Errorf("Tab does not come to %q", left)
	}
	ask[any](t, b, `document.querySelector("#r1 svg a").focus()`)
	b.do(t, chromedp.KeyEvent("\r"))
	words := ask[string](t, b, `(document.querySelector("tr:target") || {innerText: ""}).innerText`)
	if !strings.Contains(words, "before.started") {
		t.Errorf("the first mark leads to %q", words)
	}
}

// TestPixels: each mark is where the journal says that its event was.
func TestPixels(t *testing.T) {
	b := newTab(t)
	b.open(t, write(t, report.Runs(records(t, "passed.jsonl"))...), "light", 1280)
	at := map[string]time.Duration{}
	var own []time.Duration
	for _, record := range records(t, "passed.jsonl") {
		if record.Step == "" || record.Step == "given" || record.Step == "teardown" {
			continue
		}
		own = append(own, record.At)
		if record.Kind == journal.Event {
			at[record.Step+"."+record.Event] = record.At
		}
	}
	from, to := slices.Min(own), slices.Max(own)
	type mark struct {
		Names               []string
		Middle, Left, Width float64
	}
	marks := ask[[]mark](t, b, `[...document.querySelectorAll("#r1 svg a")].map(each => {
		const mark = each.querySelector("rect").getBoundingClientRect(), all = each.closest("svg").getBoundingClientRect();
		const names = each.getAttribute("aria-labelledby").split(" ").map(row => document.getElementById(row).cells[1].textContent.trim());
		return {names, middle: mark.left + mark.width / 2, left: all.left, width: all.width}})`)
	seen := 0
	for _, one := range marks {
		for _, name := range one.Names {
			moment, known := at[name]
			if !known {
				t.Errorf("a mark is of %q, which the journal does not have", name)
			}
			seen++
			want := one.Left + one.Width*(0.02+0.96*float64(moment-from)/float64(to-from))
			if math.Abs(one.Middle-want) > 1 {
				t.Errorf("%s is at %.1f px, and by the journal at %.1f px", name, one.Middle, want)
			}
		}
	}
	if seen != len(at) {
		t.Errorf("%d of %d events are drawn", seen, len(at))
	}
}

// TestThousandRuns: so many runs open in about ten times the time of a hundred, which
// is told; how much that is depends on the machine. What counts is the time that the
// page had the processor: what else the machine does is not the page's.
func TestThousandRuns(t *testing.T) {
	b := newTab(t)
	b.do(t, call(performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks}))
	run := report.Runs(records(t, "cluster.jsonl"))
	hundred := b.opens(t, write(t, slices.Repeat(run, 100)...))
	thousand := b.opens(t, write(t, slices.Repeat(run, 1000)...))
	t.Logf("100 runs open with %.2f s of the processor, 1,000 with %.2f s", hundred, thousand)
	if hundred <= 0 || thousand > 20*hundred {
		t.Errorf("1,000 runs take %.2f s of the processor to open, 100 take %.2f s", thousand, hundred)
	}
	if runs := ask[int](t, b, `document.querySelectorAll("details").length`); runs != 1000 {
		t.Errorf("the page has %d runs", runs)
	}
}

// opens is how long the page has the processor until it is open, in seconds: the median
// of three times.
func (b *tab) opens(t *testing.T, page string) float64 {
	t.Helper()
	var times []float64
	for range 3 {
		b.do(t, chromedp.Navigate("about:blank"))
		before := b.busy(t)
		b.open(t, page, "light", 1280)
		ask[float64](t, b, `new Promise(done => {
			const told = () => { const took = performance.getEntriesByType("navigation")[0].loadEventEnd; took ? done(took) : requestAnimationFrame(told) };
			told()})`)
		times = append(times, b.busy(t)-before)
	}
	slices.Sort(times)
	return times[1]
}
