package report_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

func runs(t *testing.T, name string) []report.Run {
	t.Helper()
	return report.Runs(readAll(t, name))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; go test -update writes it anew:\n%s", path, got)
	}
}

func TestGolden(t *testing.T) {
	forms := map[string]report.Format{
		"txt":         report.Formats["text"],
		"json":        report.Formats["json"],
		"explain.txt": report.Explain,
		"junit.xml":   report.Formats["junit"],
		"md":          report.Formats["markdown"],
	}
	for _, name := range []string{"passed", "failed", "died"} {
		for form, write := range forms {
			t.Run(name+"."+form, func(t *testing.T) {
				var out bytes.Buffer
				if err := write(&out, runs(t, name)...); err != nil {
					t.Fatal(err)
				}
				golden(t, name+"."+form, out.Bytes())
				for _, r := range out.String() {
					if unicode.IsControl(r) && r != '\n' {
						t.Errorf("the control character %q is shown", r)
					}
				}
				switch form {
				case "json":
					for line := range strings.Lines(out.String()) {
						if !json.Valid([]byte(line)) {
							t.Errorf("no JSON: %s", line)
						}
					}
				case "junit.xml":
					var suite struct {
						Tests int `xml:"tests,attr"`
					}
					if err := xml.Unmarshal(out.Bytes(), &suite); err != nil || suite.Tests != 1 {
						t.Errorf("no JUnit of one test: %v", err)
					}
				}
			})
		}
	}
}

func TestRunsOfOneFile(t *testing.T) {
	all := append(readAll(t, "passed"), readAll(t, "failed")...)
	got := report.Runs(all)
	if len(got) != 2 || got[0].Verdict != verdict.Passed || got[1].Verdict != verdict.Failed {
		t.Fatalf("%d runs: %+v", len(got), got)
	}
	if !got[0].Ended || runs(t, "died")[0].Ended {
		t.Error("a run has ended when its journal says so, and only then")
	}
}

func readAll(t *testing.T, name string) []journal.Record {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// lines is a journal of one run with a call, a kill and a probe.
func lines(t *testing.T, change func(p *plan.Plan, record func(journal.Record))) string {
	t.Helper()
	probe := func(measures string) *plan.Activity {
		return &plan.Activity{Name: "probe", Events: []string{"started", "passed"}, Ends: []string{"passed"}, Measures: measures}
	}
	p := &plan.Plan{
		Experiment: "kill", Title: "A kill", Target: "t", Parameters: map[string]string{"delay": "1s"},
		Steps: []plan.Step{
			{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Summary: "pod-kill a"}},
			{Name: "back", Activity: probe("answers")}, {Name: "final", Activity: probe("converged")},
		},
		Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "kill", Event: plan.Down}}}},
	}
	var out bytes.Buffer
	j, at := journal.New(&out), time.Now()
	record := func(r journal.Record) {
		at = at.Add(time.Second)
		j.Add(at, r)
	}
	record(journal.Record{Kind: journal.Run, Run: "r", Plan: p, Version: "v1", Versions: map[string]string{"Kubernetes": "v1.36"}, Target: "abc"})
	record(journal.Record{Kind: journal.Attempt, Attempt: 1})
	if change != nil {
		change(p, record)
		return out.String()
	}
	record(journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Down})
	record(journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Rescheduled})
	record(journal.Record{Kind: journal.Event, Step: "kill", Event: plan.Ready, Detail: map[string]string{journal.NotBefore: at.Add(-500 * time.Millisecond).UTC().Format(time.RFC3339Nano), journal.Told: "2026-01-02T03:04:05Z"}})
	record(journal.Record{Kind: journal.Result, Step: "back", Conclusion: "passed"})
	record(journal.Record{Kind: journal.Result, Step: "final", Conclusion: "passed", Evidence: map[string]string{"held": "500ms"}})
	record(journal.Record{Kind: journal.Verdict, Attempt: 1, Verdict: "Passed"})
	record(journal.Record{Kind: journal.Event, Step: "teardown", Event: "passed"})
	record(journal.Record{Kind: journal.End, Run: "r", Verdict: "Passed"})
	return out.String()
}

// TestDamagedJournals reads what somebody or something made of the journals of
// two runs that passed.
func TestDamagedJournals(t *testing.T) {
	const notClean = "the journal ends in the middle of the run, which is not cleaned up: run `emco-chaos clean`"
	good := lines(t, nil)
	unchained := regexp.MustCompile(`,"previous":"[0-9a-f]*"`).ReplaceAllString(good, "")
	for _, test := range []struct {
		name, journal string
		// want is the verdicts and what is left, and reason that of the first
		// that did not pass.
		want, reason string
	}{
		{"two good runs", good + good, "Passed Passed", ""},
		{"the last one cut in its teardown", good + good[:strings.LastIndex(good, `{"kind":"event"`)], "Passed Passed+left", ""},
		{"cut within a line", good + good[:strings.LastIndex(good, `{"kind":"event"`)+9], "Passed Error+left", "the journal of this run is damaged: line 19 is no record (unexpected end of JSON input)"},
		{"cut before the verdict", good[:strings.Index(good, `{"kind":"verdict"`)] + good, "Error+left Passed", "the journal ends before the verdict"},
		{"cut within a line, and another run behind it", good[:strings.LastIndex(good, `{"kind":"end"`)+9] + good, "Error+left Passed", "the journal of this run is damaged: line 10 is no record"},
		{"a line edited", strings.Replace(good, `"down"`, `"done"`, 1) + good, "Error Passed", "the journal of this run is damaged: line 4 does not follow the line before it"},
		{"the first line lost", good + good[strings.Index(good, "\n")+1:], "Passed Error", "the journal of this run is damaged: line 11 does not follow"},
		{"all lines reversed", reversed(good), "Error Error+left", "the journal of this run is damaged: line 1 does not follow"},
		{"a verdict made better", strings.Replace(unchained, `"down"`, `"done"`, 1), "Inconclusive", "the journal claims Passed, and its events say Inconclusive: the evidence \"kill.down\" is not there: kill.down never happened"},
		{"a verdict made worse", strings.Replace(unchained, `"verdict":"Passed"}`+"\n"+`{"kind":"event"`, `"verdict":"Failed"}`+"\n"+`{"kind":"event"`, 1), "Error", "the journal claims Failed, and its events say Passed"},
		{"a plan without its evidence", regexp.MustCompile(`"evidence":\[[^]]*\]`).ReplaceAllString(unchained, `"evidence":[]`), "Inconclusive", "the journal claims Passed, and its events say Inconclusive: the plan demands nothing that shows what was done"},
		{"a run without a plan", regexp.MustCompile(`"plan":\{.*\},"version"`).ReplaceAllString(unchained, `"version"`), "Inconclusive", "the journal claims Passed, and its events say Inconclusive: the plan demands nothing that shows what was done"},
		{"no journal", "Dear Joe,\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			records, err := journal.Read(strings.NewReader(test.journal))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			reason := ""
			for _, run := range report.Runs(records) {
				word := string(run.Verdict)
				if slices.Contains(run.Left, notClean) {
					word += "+left"
				}
				got = append(got, word)
				reason = cmp.Or(reason, run.Reason)
			}
			if strings.Join(got, " ") != test.want || !strings.HasPrefix(reason, test.reason) || test.reason == "" && reason != "" {
				t.Errorf("%s: %s\nwant %s: %s", got, reason, test.want, test.reason)
			}
		})
	}
}

func reversed(text string) string {
	list := slices.Collect(strings.Lines(text))
	slices.Reverse(list)
	return strings.Join(list, "")
}

// TestFacts finds in each report what a reader needs to compare it with others.
func TestFacts(t *testing.T) {
	records, err := journal.Read(strings.NewReader(lines(t, nil)))
	if err != nil {
		t.Fatal(err)
	}
	for format, wants := range map[string][]string{
		"text": {
			"run r, attempt 1, began 2", "took 9.000 s", "target t (sha256 abc)", "parameters delay=1s", "versions Kubernetes v1.36, emco-chaos v1",
			"of what pod-kill a had stopped, since down: rescheduled 1.000 s, ready between 0.500 s and 2.000 s, answers 3.000 s, converged 3.500 s",
			"pod-kill a: ready (seen then, and up to 1.5 s old; the system itself says 2026-01-02T03:04:05Z)\n", "pod-kill a: down\n",
		},
		"markdown": {"target: t (sha256 abc)", "converged 3.500 s", "ready (seen then, and up to 1.5 s old; "},
		"json":     {`"seconds":9,`, `"targetSha256":"abc"`, `"parameters":{"delay":"1s"}`, `"unit":"s","down":1,"phases":[{"name":"rescheduled","seconds":1,"atLeast":1,"atMost":1},{"name":"ready","seconds":2,"atLeast":0.5,"atMost":2}`, `,"notBefore":1500000000,"told":"2026-01-02T03:04:05Z"}`},
		"junit":    {`name="kill[delay=1s]"`, `<property name="kill.ready.seconds" value="2.000">`, `<property name="kill.converged.at-most.seconds" value="3.500">`, `value="Kubernetes v1.36, emco-chaos v1"`},
	} {
		var out bytes.Buffer
		if err := report.Formats[format](&out, report.Runs(records)...); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s has no %s:\n%s", format, want, out.String())
			}
		}
	}
}

// TestJUnitOfAStranger: what a journal says stays a text of the XML, and each verdict has
// its element.
func TestJUnitOfAStranger(t *testing.T) {
	all := append(runsOf(t,
		made{experiment: "a<b>\x1b[2J\"", ends: verdict.Passed}, made{experiment: "a", ends: verdict.Failed},
		made{experiment: "a", ends: verdict.Inconclusive}, made{experiment: "a", ends: verdict.Error}), hostile())
	var out bytes.Buffer
	if err := report.Formats["junit"](&out, all...); err != nil {
		t.Fatal(err)
	}
	var suite struct {
		Cases []struct {
			Name string `xml:"name,attr"`
			Any  []struct {
				XMLName xml.Name
				Text    string `xml:",chardata"`
			} `xml:",any"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(out.Bytes(), &suite); err != nil || len(suite.Cases) != 5 || suite.Cases[0].Name != `a<b> [2J"` {
		t.Fatalf("the suite is %+.500v, %v", suite, err)
	}
	for i, want := range []string{"", "failure", "skipped", "error", "error"} {
		var elements []string
		for _, element := range suite.Cases[i].Any {
			elements = append(elements, element.XMLName.Local)
			if strings.ContainsFunc(element.Text, func(char rune) bool { return char < ' ' && char != '\n' || char == unicode.ReplacementChar }) {
				t.Errorf("case %d has a control character in its %s", i, element.XMLName.Local)
			}
		}
		if got := strings.Join(elements, " "); strings.Join(strings.Fields("properties "+want+" system-out"), " ") != got {
			t.Errorf("case %d has %s, and %q is wanted", i, got, want)
		}
	}
}

func TestTally(t *testing.T) {
	for _, test := range []struct {
		verdicts []verdict.Verdict
		line     string
		code     int
	}{
		{nil, "0 passed, 0 failed, 0 inconclusive, 0 errors", 0},
		{[]verdict.Verdict{verdict.Passed, verdict.Passed}, "2 passed, 0 failed, 0 inconclusive, 0 errors", 0},
		{[]verdict.Verdict{verdict.Passed, verdict.Inconclusive}, "1 passed, 0 failed, 1 inconclusive, 0 errors", 3},
		{[]verdict.Verdict{verdict.Failed, verdict.Inconclusive}, "0 passed, 1 failed, 1 inconclusive, 0 errors", 1},
		{[]verdict.Verdict{verdict.Failed, verdict.Error}, "0 passed, 1 failed, 0 inconclusive, 1 errors", 4},
	} {
		var tally report.Tally
		for _, v := range test.verdicts {
			tally.Add(v)
		}
		if tally.String() != test.line || tally.ExitCode() != test.code {
			t.Errorf("%v: %q, exit %d", test.verdicts, tally, tally.ExitCode())
		}
	}
}

func TestLive(t *testing.T) {
	show := func(style report.Style) string {
		var out bytes.Buffer
		live := report.NewLive(&out, style)
		for _, record := range readAll(t, "passed") {
			live.Follow(record)
		}
		live.Close()
		return out.String()
	}
	if plain := show(report.Style{}); strings.Contains(plain, "\x1b") || !strings.Contains(plain, "instantiate  sent") {
		t.Errorf("in a pipe:\n%s", plain)
	}
	if coloured := show(report.Style{Redraw: true, Colour: true}); !strings.Contains(coloured, "under way: hold (injected), instantiate (sent)") || !strings.Contains(coloured, "\x1b[32mPASSED\x1b[0m") {
		t.Errorf("on a terminal:\n%s", coloured)
	}
}

// A brief account has one line a step, whatever each step asks and is told meanwhile.
func TestBrief(t *testing.T) {
	var out bytes.Buffer
	live := report.NewLive(&out, report.Style{Brief: true, Total: 10})
	for _, name := range []string{"passed", "failed"} {
		for _, record := range readAll(t, name) {
			live.Follow(record)
		}
	}
	live.Close()
	golden(t, "brief.txt", out.Bytes())
}

// The table has what a reader compares, and says what is not known well.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	runs := slices.Concat(report.Runs(readAll(t, "passed")), report.Runs(readAll(t, "failed")))
	if err := report.Table(&out, runs...); err != nil {
		t.Fatal(err)
	}
	golden(t, "table.txt", out.Bytes())
}
