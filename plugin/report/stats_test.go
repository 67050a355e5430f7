package report_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

func TestGoldenStats(t *testing.T) {
	runs := runsOf(t, night()...)
	for form, name := range map[string]string{"text": "night.txt", "csv": "night.csv", "html": "night.html"} {
		var out bytes.Buffer
		if err := report.Stats[form](&out, runs...); err != nil {
			t.Fatal(err)
		}
		golden(t, name, body(out.Bytes()))
	}
}

// TestStatsJSON: a line a case, which has all that the others show.
func TestStatsJSON(t *testing.T) {
	runs := runsOf(t, night()...)
	var out bytes.Buffer
	if err := report.Stats["json"](&out, runs...); err != nil {
		t.Fatal(err)
	}
	want := report.Summaries(runs)
	for line := range strings.Lines(out.String()) {
		var got report.Summary
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		for i := range want[0].Times {
			want[0].Times[i].Seconds = nil
		}
		if !reflect.DeepEqual(got, want[0]) {
			t.Errorf("the line is\n%+v\nwant\n%+v", got, want[0])
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("%d cases have no line", len(want))
	}
}

// TestStatsOfAStranger: names in a journal are data, for a terminal and for a spreadsheet.
func TestStatsOfAStranger(t *testing.T) {
	runs := runsOf(t,
		made{experiment: "=cmd|' /C calc'!A0", ends: verdict.Passed, ready: 1, converged: 2},
		made{experiment: "a\x1b[2J,\"b<script>alert(1)</script>", ends: verdict.Inconclusive})
	for form, write := range report.Stats {
		var out bytes.Buffer
		if err := write(&out, runs...); err != nil {
			t.Fatal(err)
		}
		if form == "html" && strings.Contains(out.String(), "<script") {
			t.Error("a script is on the page")
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%s has a control character", form)
		}
		if form != "csv" {
			continue
		}
		rows, err := csv.NewReader(&out).ReadAll()
		if err != nil || len(rows) != 4 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if !strings.HasPrefix(rows[1][0], "'=cmd") || !strings.Contains(rows[3][0], `,"b`) {
			t.Errorf("the cases are %q and %q", rows[1][0], rows[3][0])
		}
	}
}
