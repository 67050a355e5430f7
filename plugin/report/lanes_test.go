package report_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// drawn tells what is drawn, in milliseconds.
func drawn(c report.Chart) string {
	var b strings.Builder
	for _, lane := range c.Lanes {
		fmt.Fprintf(&b, "%s:", lane.Name)
		for _, span := range lane.Spans {
			fmt.Fprintf(&b, " [%d %d %s %s]", span.From.Milliseconds(), span.To.Milliseconds(), span.State, span.Text)
		}
		for _, mark := range lane.Marks {
			fmt.Fprintf(&b, " %d>%s", mark.At.Milliseconds(), c.Rows[mark.Row].What)
		}
		b.WriteString("\n")
	}
	for _, band := range c.Bands {
		fmt.Fprintf(&b, "band %d %d %s\n", band.From.Milliseconds(), band.To.Milliseconds(), band.Text)
	}
	for _, arrow := range c.Arrows {
		fmt.Fprintf(&b, "%t", arrow.Holds)
		for _, point := range arrow.Points {
			fmt.Fprintf(&b, " %d:%t", point.At.Milliseconds(), point.Fired)
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestChart(t *testing.T) {
	event := func(ms int, step, event string) journal.Record {
		return journal.Record{Kind: journal.Event, At: time.Duration(ms) * time.Millisecond, Step: step, Event: event}
	}
	call := plan.Step{Name: "go", Expect: plan.ConnectionLost, Activity: &plan.Activity{
		Summary: "POST go", Lasting: true, Events: []string{"started", "failed"}, Ends: []string{"failed"}}}
	kill := plan.Step{Name: "kill", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-kill", Summary: "pod-kill dcm"}}
	hold := plan.Step{Name: "hold", Fault: &plan.Fault{Kind: "NetworkChaos", Action: "partition", Summary: "partition between dcm and etcd"}}
	result := func(ms int, step, outcome, conclusion string) journal.Record {
		return journal.Record{Kind: journal.Result, At: time.Duration(ms) * time.Millisecond, Step: step, Outcome: outcome, Conclusion: conclusion}
	}
	for _, test := range []struct {
		name    string
		records []journal.Record
		want    string
	}{
		{"nothing", nil, "false 0:false 1:false\n"},
		{
			"a call that is killed in a hold",
			[]journal.Record{
				event(90, "hold", "created"), event(95, "hold", "injected"), event(100, "go", "started"), event(200, "kill", "created"),
				event(210, "kill", "down"), event(220, "go", "failed"), result(225, "go", plan.ConnectionLost, "passed"),
				event(400, "kill", "ready"), event(410, "hold", "removed"),
			},
			"go: [0 120 passed connection-lost] 0>go.started 120>go.failed\n" +
				"kill: [100 110 fault pod-kill] 100>kill.created 110>kill.down 300>kill.ready\n" +
				"hold: [-10 310 fault partition] -10>hold.created -5>hold.injected 310>hold.removed\n" +
				"dcm: [-10 110 up up] [110 300 down down] [300 310 up Ready]\n" +
				"band 110 300 pod-kill dcm\nband -5 310 partition between dcm and etcd\n" +
				"true 110:true 120:true\n",
		},
		{
			"what has no end is drawn until the last event",
			[]journal.Record{event(100, "go", "started"), event(150, "kill", "created"), event(160, "kill", "down"), event(300, "hold", "created")},
			"go: [0 200 running did not end] 0>go.started\n" +
				"kill: [50 60 fault pod-kill] 50>kill.created 60>kill.down\n" +
				"hold: [200 200 fault partition] 200>hold.created\n" +
				"dcm: [0 60 up up] [60 200 down down]\nband 60 200 pod-kill dcm\n" +
				"false 60:true 200:false\n",
		},
		{
			"an outcome that the plan does not expect, a status, and a disturbance",
			[]journal.Record{
				event(100, "go", "started"), {Kind: journal.Note, Step: "go", At: 120e6, Text: "status: A"},
				{Kind: journal.Note, Step: "go", At: 130e6, Text: "status: A"}, {Kind: journal.Note, Step: "go", At: 150e6, Text: "status: B"},
				{Kind: journal.Disturbance, Service: "clm", At: 170e6, Text: "restarted"},
				event(180, "go", "failed"), result(181, "go", plan.TimedOut, "passed"),
			},
			"go: [0 80 inconclusive timeout] 0>go.started 80>go.failed\nclm: 70>disturbance\n" +
				"status: [20 50 status A] [50 81 status B]\nfalse 0:false 80:true\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &plan.Plan{Experiment: "e", Steps: []plan.Step{call, kill, hold}, Evidence: []plan.Claim{{Refs: []plan.Ref{{Step: "kill", Event: "down"}, {Step: "go", Event: "failed"}}}}}
			records := append([]journal.Record{{Kind: journal.Run, Run: "r", Plan: p}, {Kind: journal.Attempt, Attempt: 1}}, test.records...)
			if got := drawn(report.Runs(records)[0].Chart()); got != test.want {
				t.Errorf("drawn is\n%swant\n%s", got, test.want)
			}
		})
	}
}

// hostile is a run of a journal that somebody wrote to do harm.
func hostile() report.Run {
	evil := "<script>alert(1)</script>\x1b[31m\u202e" + strings.Repeat("é\"'>", 1<<9)
	long := strings.Repeat(evil, 10<<20/len(evil))
	p := &plan.Plan{Experiment: evil, Title: long, Target: evil, Parameters: map[string]string{evil: evil}}
	records := []journal.Record{{Kind: journal.Run, Run: evil, Plan: p, Version: evil, Versions: map[string]string{evil: evil}}, {Kind: journal.Attempt}, {Kind: journal.Trouble, Text: long}}
	for i := range 80 {
		name := fmt.Sprintf("s%d\x1b[31m", i)
		p.Steps = append(p.Steps, plan.Step{Name: name, Fault: &plan.Fault{Kind: "PodChaos", Action: evil, Summary: "pod-kill " + evil}})
		p.Evidence = append(p.Evidence, plan.Claim{Refs: []plan.Ref{{Step: name, Event: "down"}}})
		for j, event := range []string{"created", "injected", "down", "ready"} {
			at := time.Duration([]int64{math.MinInt64, 0, math.MaxInt64, 1}[j])
			records = append(records, journal.Record{Kind: journal.Event, At: at, Step: name, Event: event, Detail: map[string]string{
				"what": evil, journal.NotBefore: "0001-01-01T00:00:00Z"}})
		}
		records = append(records, journal.Record{Kind: journal.Note, Step: name, Text: fmt.Sprintf("status: %d %s", i, evil)},
			journal.Record{Kind: journal.Disturbance, Service: name + evil, Text: evil}, journal.Record{Kind: journal.Left, Text: evil})
	}
	return report.Runs(records)[0]
}

func TestLanesFitATerminal(t *testing.T) {
	evil := hostile()
	for _, r := range append(runs(t, "passed"), evil) {
		var out bytes.Buffer
		if err := report.Explain(&out, r); err != nil {
			t.Fatal(err)
		}
		lanes, _, found := strings.Cut(out.String(), "\n\n")
		if !found || !strings.HasPrefix(lanes, "seconds ") {
			t.Fatalf("there are no lanes above the paragraph:\n%.500s", out.String())
		}
		for line := range strings.Lines(lanes) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("a line has %d columns: %s", n, line)
			}
		}
		if strings.ContainsFunc(out.String(), func(char rune) bool { return char < ' ' && char != '\n' }) {
			t.Error("a control character is shown")
		}
	}
	if c := evil.Chart(); c.More == 0 || len(c.Rows) > 400 || len(c.Lanes) > 60 {
		t.Errorf("%d rows and %d lanes, and %d more", len(c.Rows), len(c.Lanes), c.More)
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		from, to time.Duration
		most     int
		want     []string
	}{
		{0, 10 * time.Second, 8, []string{"0", "2", "4", "6", "8", "10"}},
		{-300 * time.Millisecond, time.Second, 8, []string{"-0.2", "0", "0.2", "0.4", "0.6", "0.8", "1"}},
		{0, 5 * time.Minute, 4, []string{"0", "100", "200", "300"}},
	} {
		var got []string
		for _, tick := range (report.Chart{From: test.from, To: test.to}).Ticks(test.most) {
			got = append(got, tick.Text)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("from %v to %v there are the ticks %q, want %q", test.from, test.to, got, test.want)
		}
	}
}
