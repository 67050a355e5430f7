package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

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
	show := func(terminal bool) string {
		var out bytes.Buffer
		live := report.NewLive(&out, terminal)
		for _, record := range readAll(t, "passed") {
			live.Follow(record)
		}
		live.Close()
		return out.String()
	}
	if plain := show(false); strings.Contains(plain, "\x1b") || !strings.Contains(plain, "instantiate  sent") {
		t.Errorf("in a pipe:\n%s", plain)
	}
	if coloured := show(true); !strings.Contains(coloured, "under way: hold, instantiate") || !strings.Contains(coloured, "\x1b[32mPASSED\x1b[0m") {
		t.Errorf("on a terminal:\n%s", coloured)
	}
}
