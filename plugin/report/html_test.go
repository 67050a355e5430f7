package report_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

func htmlOf(t *testing.T, page report.Page, runs ...report.Run) string {
	t.Helper()
	var out bytes.Buffer
	if err := page.Write(&out, runs...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestHTML(t *testing.T) {
	text := htmlOf(t, report.Page{Maps: []report.CrashMap{{
		Tally: "1 of 2 points covered by 3 runs", Legend: []report.Cell{{Symbol: "?", Text: "not covered"}, {Symbol: "S", Text: "stuck", Kind: 5}},
		Bars: []report.Bar{{Title: "dig.instantiate from Approved", Cells: []report.Cell{
			{Symbol: "S", Text: "before mongo: stuck", Kind: 5, Run: "rugbpw6u", File: "it's.yaml"}, {Symbol: "?", Text: "before etcd: not covered"}}}},
		Findings: []report.CrashFinding{{Text: "stuck: is wedged", Places: []string{"it's.yaml"}}},
	}}}, append(runs(t, "died"), runs(t, "passed")...)...)
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(text)[1]
	sum := sha256.Sum256([]byte(style))
	hash := template.HTMLEscapeString(base64.StdEncoding.EncodeToString(sum[:]))
	// The style is in a file of its own.
	golden(t, "page.html", []byte(strings.NewReplacer(style, "", hash, "HASH").Replace(text)))
	if policy := html.UnescapeString(text); !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Error("the policy does not allow the page's own style")
	}
	ids := regexp.MustCompile(` id="?([^" >]+)`).FindAllStringSubmatch(text, -1)
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(ids, func(id []string) bool { return "#"+id[1] == link[1] }) {
			t.Errorf("a link leads to %s, which is not on the page", link[1])
		}
	}
}

// TestPositions computes from the journal where each mark, and the hold, must be.
func TestPositions(t *testing.T) {
	text := htmlOf(t, report.Page{}, runs(t, "passed")...)
	events := map[string]time.Duration{}
	var own []time.Duration
	for _, record := range readAll(t, "passed") {
		if record.Step == "" || record.Step == "given" || record.Step == "teardown" {
			continue
		}
		own = append(own, record.At)
		if record.Kind == journal.Event {
			events[record.Step+"."+record.Event] = record.At
		}
	}
	from, to := slices.Min(own), slices.Max(own)
	place := func(at time.Duration) float64 { return 2 + 96*float64(at-from)/float64(to-from) }
	number := func(text string) float64 {
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	near := func(what string, got, want float64) {
		// A hundredth of a percent is less than a pixel on every screen.
		if got < want-0.06 || got > want+0.06 {
			t.Errorf("%s is at %.2f %%, and by the journal at %.2f %%", what, got, want)
		}
	}
	names := map[string]string{}
	for _, row := range regexp.MustCompile(`<tr id="(r1e\d+)"><td>[^<]*<td>([^<]*)<td>`).FindAllStringSubmatch(text, -1) {
		names[row[1]] = row[2]
	}
	seen := map[string]bool{}
	for _, mark := range regexp.MustCompile(`<a href="#(r1e\d+)" aria-labelledby="([^"]*)"><rect x="([\d.]+)%"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(mark[2]+" ", mark[1]+" ") {
			t.Errorf("a mark leads to %s, and is labelled by %s", mark[1], mark[2])
		}
		for row := range strings.SplitSeq(mark[2], " ") {
			name := names[row]
			at, known := events[name]
			if !known {
				t.Errorf("a mark is of %q, which the journal does not have", name)
			}
			seen[name] = true
			near(name, number(mark[3]), place(at))
		}
	}
	for name := range events {
		if !seen[name] {
			t.Errorf("%s has no mark", name)
		}
	}
	span := regexp.MustCompile(`<rect class="fault" x="([\d.]+)%" y="\d+" width="([\d.]+)%"`).FindStringSubmatch(text)
	near("the hold", number(span[1]), place(events["hold.created"]))
	near("the hold's end", number(span[1])+number(span[2]), place(events["hold.removed"]))
	tick := regexp.MustCompile(`<text class="tick" x="([\d.]+)%" y="18">1</text>`).FindStringSubmatch(text)
	near("one second", number(tick[1]), place(events["instantiate.started"]+time.Second))
}

func TestHTMLOfAHostileJournal(t *testing.T) {
	evil := "</style><script>alert(1)</script>\x1b[31m\u202e" + strings.Repeat("long", 1<<20)
	text := htmlOf(t, report.Page{Maps: []report.CrashMap{{
		Tally: evil, Bars: []report.Bar{{Title: evil, Notes: []string{evil}, Cells: []report.Cell{{Symbol: "S", Text: evil}}}},
		Findings: []report.CrashFinding{{Text: evil, Places: []string{evil}}}, Legend: []report.Cell{{Symbol: "S", Text: evil}},
	}}}, hostile())
	if len(text) > 1<<20 {
		t.Errorf("the page has %d bytes", len(text))
	}
	known := strings.Fields("html head meta title style body a header main h1 h2 h3 p table thead tbody tr th td svg g line rect circle text path " +
		"span ul ol li details summary pre dl dt dd small")
	for _, tag := range regexp.MustCompile(`<([a-zA-Z0-9]+)[^>]*>`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, tag[1]) || regexp.MustCompile(`\s(on\w+|src|style)=`).MatchString(tag[0]) {
			t.Errorf("the page has %.100s", tag[0])
		}
	}
	if strings.ContainsFunc(text, func(char rune) bool { return unicode.IsControl(char) && char != '\n' || unicode.Is(unicode.Cf, char) }) {
		t.Error("a control character is on the page")
	}
	if !strings.Contains(text, "&lt;script&gt;alert(1)") {
		t.Error("what the journal says is not shown")
	}
}

// TestThousandRuns holds the size of a page that is sent by mail, with a run as a cluster makes it.
func TestThousandRuns(t *testing.T) {
	one := runs(t, "cluster")[0]
	text := htmlOf(t, report.Page{}, slices.Repeat([]report.Run{one}, 1000)...)
	if megabytes := float64(len(text)) / 1e6; megabytes > 15 || strings.Count(text, "<details") != 1000 {
		t.Errorf("%d runs have %.1f MB", strings.Count(text, "<details"), megabytes)
	}
}

func TestLimits(t *testing.T) {
	started := journal.Record{Kind: journal.Event, Step: "ask", Event: plan.Started}
	late := journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Down, Time: time.Unix(10, 0), Detail: map[string]string{
		journal.NotBefore: time.Unix(8, 5e8).UTC().Format(time.RFC3339Nano)}}
	for _, test := range []struct {
		name        string
		change      func(p *plan.Plan)
		records     []journal.Record
		want, never string
	}{
		{name: "no verdict", want: "Whether the system recovers: the journal ends before the verdict."},
		{name: "no end", want: "What became of the run: its journal has no end."},
		{name: "an end", records: []journal.Record{{Kind: journal.End}}, never: "What became of the run"},
		{name: "no evidence", want: "Whether pod-kill dcm hit: no evidence names it."},
		{
			name:   "evidence that is not there",
			change: func(p *plan.Plan) { p.Evidence = []plan.Claim{{Refs: []plan.Ref{{Step: "kill", Event: plan.Down}}}} },
			want:   "Whether the fault hit where it was aimed: the evidence ", never: "no evidence names it",
		},
		{name: "a late moment", records: []journal.Record{late}, want: "When kill.down was: it was seen at +0.0 s, and may have been up to 1.500 s earlier."},
		{name: "a service that nothing is done to", records: []journal.Record{started}, want: "When clm was up: "},
		{name: "one that is stopped", change: func(p *plan.Plan) { p.Steps[0].Activity.Service = "dcm" }, never: "was up"},
		{name: "the edge", want: "What is on the edge clusters: "},
		{name: "the edge is looked at", change: func(p *plan.Plan) { p.Steps[0].Activity.Name = "edge" }, never: "What is on the edge"},
		{name: "nothing is asked again", want: "Whether the end lasts: "},
		{name: "something is", change: func(p *plan.Plan) { p.Steps[0].Activity.Recheck = true }, never: "Whether the end lasts"},
		{name: "versions", want: "On which versions of the system "},
		{name: "a second attempt", records: []journal.Record{{Kind: journal.Attempt, Attempt: 2}}, want: "How often the fault hits: this is attempt 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &plan.Plan{Experiment: "e", Steps: []plan.Step{
				{Name: "ask", Activity: &plan.Activity{Name: "available", Service: "clm", Events: []string{"started", "passed"}, Ends: []string{"passed"}}},
				{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "pod-kill dcm"}},
			}}
			if test.change != nil {
				test.change(p)
			}
			records := append([]journal.Record{{Kind: journal.Run, Run: "r", Plan: p}, {Kind: journal.Attempt, Attempt: 1}}, test.records...)
			_, text, _ := strings.Cut(html.UnescapeString(htmlOf(t, report.Page{}, report.Runs(records)...)), "What this run cannot tell")
			text, _, _ = strings.Cut(text, "</ul>")
			if !strings.Contains(text, "<li>"+test.want) || test.never != "" && strings.Contains(text, test.never) {
				t.Errorf("the run cannot tell\n%s\nwant %q and not %q", text, test.want, test.never)
			}
		})
	}
}

func TestCommandToMakeARunAgain(t *testing.T) {
	for _, test := range []struct {
		name, want string
		plan       plan.Plan
		page       report.Page
	}{
		{name: "an experiment", plan: plan.Plan{Experiment: "service-refused"}, want: "emco-chaos run service-refused --target FILE"},
		{
			name: "with parameters", plan: plan.Plan{Experiment: "e", Parameters: map[string]string{"call": "dig.approve", "b": "it's; rm -rf"}},
			want: `emco-chaos run e --set 'b=it'\''s; rm -rf' --set call=dig.approve --target FILE`,
		},
		{name: "on what exists", plan: plan.Plan{Experiment: "e", BlastRadius: []string{"a dig"}}, want: "emco-chaos run e --use-existing --target FILE"},
		{
			name: "from a file", plan: plan.Plan{Experiment: "mine", Source: "kind: Experiment\n# <b>\x1b[31m\n"},
			want: "emco-chaos run -f mine.yaml --target FILE</pre>\n<details><summary>The experiment's file</summary><pre>kind: Experiment\n# <b> [31m\n",
		},
		{
			name: "of a map", plan: plan.Plan{Experiment: "e"}, want: "emco-chaos run -f point.yaml --target FILE",
			page: report.Page{Maps: []report.CrashMap{{Bars: []report.Bar{{Cells: []report.Cell{{Run: "r", File: "point.yaml"}}}}}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := report.Runs([]journal.Record{{Kind: journal.Run, Run: "r", Plan: &test.plan}, {Kind: journal.Attempt}})
			if text := html.UnescapeString(htmlOf(t, test.page, all...)); !strings.Contains(text, fmt.Sprintf("<pre>%s</pre>", test.want)) {
				t.Errorf("the page does not have %s", test.want)
			}
		})
	}
}
