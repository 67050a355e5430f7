package trace

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read reads a journal of the reports' tests.
func read(t *testing.T, name string) []journal.Record {
	t.Helper()
	file, err := os.Open(filepath.Join("..", "report", "testdata", name+".jsonl"))
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

// told writes spans in lines, with times from the begin of the first.
func told(spans tracetest.SpanStubs) string {
	var b strings.Builder
	for _, span := range spans {
		since := func(at time.Time) string { return fmt.Sprintf("%.6f", at.Sub(spans[0].StartTime).Seconds()) }
		fmt.Fprintf(&b, "%s below %s: %s (%s to %s) %s %s\n",
			span.SpanContext.SpanID(), span.Parent.SpanID(), span.Name, since(span.StartTime), since(span.EndTime), span.Status.Code, span.Status.Description)
		for _, one := range span.Attributes {
			fmt.Fprintf(&b, "    %s=%s\n", one.Key, one.Value.String())
		}
		for _, event := range span.Events {
			fmt.Fprintf(&b, "  %s %s\n", since(event.Time), event.Name)
			for _, one := range event.Attributes {
				fmt.Fprintf(&b, "    %s=%s\n", one.Key, one.Value.String())
			}
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"passed", "failed", "died"} {
		t.Run(name, func(t *testing.T) {
			records := read(t, name)
			got := told(Spans(records))
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || got != string(want) {
				t.Errorf("%s differs (%v); go test -update writes it anew:\n%s", file, err, got)
			}
			if again := told(Spans(records)); again != got {
				t.Errorf("sent again it is another trace:\n%s", again)
			}
		})
	}
}

// TestAgreesWithJournal: each event of a step is in the trace at the journal's
// time of day, within its step, attempt and run.
func TestAgreesWithJournal(t *testing.T) {
	for _, name := range []string{"passed", "failed", "died"} {
		records := read(t, name)
		spans := Spans(records)
		ids := map[string]tracetest.SpanStub{}
		events := map[string]int{}
		for _, span := range spans {
			if span.SpanContext.TraceID() != ID(records[0]) || !span.SpanContext.IsValid() {
				t.Errorf("%s: %s is of trace %s", name, span.Name, span.SpanContext.TraceID())
			}
			if _, twice := ids[span.SpanContext.SpanID().String()]; twice {
				t.Errorf("%s: two spans are %s", name, span.SpanContext.SpanID())
			}
			ids[span.SpanContext.SpanID().String()] = span
			parent, has := ids[span.Parent.SpanID().String()]
			if has != (span.Name != spans[0].Name) || has && (span.StartTime.Before(parent.StartTime) || span.EndTime.After(parent.EndTime)) {
				t.Errorf("%s: %s from %v to %v is not within %s", name, span.Name, span.StartTime, span.EndTime, parent.Name)
			}
			for _, event := range span.Events {
				events[fmt.Sprint(span.Name, " ", event.Name, " ", event.Time.UnixMicro())]++
			}
		}
		for _, record := range records {
			key := fmt.Sprint(record.Step, " ", record.Event, " ", record.Time.UnixMicro())
			if record.Kind == journal.Event && events[key] != 1 {
				t.Errorf("%s: %s is there %d times", name, key, events[key])
			}
		}
	}
}

// TestAttempts: each attempt of a run has spans of its own, and the verdict is
// the last one's.
func TestAttempts(t *testing.T) {
	first := read(t, "failed")
	begun := slices.IndexFunc(first, func(r journal.Record) bool { return r.Kind == journal.Attempt })
	last := slices.IndexFunc(first, func(r journal.Record) bool { return r.Kind == journal.End })
	both := slices.Clone(first[:last])
	for i, record := range both {
		if record.Kind == journal.Verdict {
			both[i].Verdict, both[i].Text = "Inconclusive", "it was not seen"
		}
	}
	took := first[last].At
	for _, record := range first[begun:] {
		record.At, record.Time = record.At+took, record.Time.Add(took)
		if record.Kind == journal.Attempt {
			record.Attempt = 2
		}
		both = append(both, record)
	}
	spans := Spans(both)
	named := map[string][]tracetest.SpanStub{}
	ids := map[string]bool{}
	for _, span := range spans {
		named[span.Name] = append(named[span.Name], span)
		ids[span.SpanContext.SpanID().String()] = true
	}
	if len(ids) != len(spans) {
		t.Errorf("%d spans have %d IDs", len(spans), len(ids))
	}
	kills := named["kill"]
	if len(kills) != 2 || kills[1].StartTime.Sub(kills[0].StartTime) != took {
		t.Fatalf("the kills of two attempts: %v", kills)
	}
	for i, name := range []string{"attempt 1", "attempt 2"} {
		if len(named[name]) != 1 || kills[i].Parent.SpanID() != named[name][0].SpanContext.SpanID() {
			t.Errorf("the kill of %s is below %s", name, kills[i].Parent.SpanID())
		}
	}
	for name, want := range map[string]codes.Code{"attempt 1": codes.Unset, "attempt 2": codes.Error, spans[0].Name: codes.Error} {
		if got := named[name][0].Status.Code; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestTriggered: a step begins when the last event came that it waits for, and a
// delay is a part of it.
func TestTriggered(t *testing.T) {
	at := func(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
	zero := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	waits := plan.Step{Name: "kill", After: []plan.Ref{{Step: "call", Event: "sent"}, {Step: "hold", Event: "injected"}}, Fault: &plan.Fault{Kind: "PodChaos"}}
	p := &plan.Plan{Experiment: "one", Steps: []plan.Step{
		{Name: "call", Activity: &plan.Activity{}}, {Name: "hold", Fault: &plan.Fault{Kind: "NetworkChaos"}}, waits,
	}}
	event := func(step, name string, seconds float64) journal.Record {
		return journal.Record{Kind: journal.Event, Step: step, Event: name, At: at(seconds)}
	}
	begin := []journal.Record{{Kind: journal.Run, Run: "r1", Plan: p}, {Kind: journal.Attempt, Attempt: 1, At: at(.5)}}
	for name, test := range map[string]struct {
		records []journal.Record
		want    float64
	}{
		"by the last of two": {[]journal.Record{event("call", "sent", 1), event("hold", "injected", 2), event("kill", "created", 5)}, 2},
		"by the first of a kind": {
			[]journal.Record{event("call", "sent", 1), event("hold", "injected", .7), event("call", "sent", 3), event("kill", "created", 5)}, 1,
		},
		"one is not there": {[]journal.Record{event("call", "sent", 1), event("kill", "created", 5)}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			records := append(slices.Clone(begin), test.records...)
			records = append(records, journal.Record{Kind: journal.Disturbance, Service: "dcm", Text: "its pod has gone", At: at(6)})
			for i := range records {
				records[i].Time = zero.Add(records[i].At)
			}
			spans := Spans(records)
			kill := spans[len(spans)-1]
			if got := kill.StartTime.Sub(zero); kill.Name != "kill" || got != at(test.want) {
				t.Errorf("%s begins at %v, want %v s", kill.Name, got, test.want)
			}
			if kill.EndTime.Sub(zero) != at(6) {
				t.Errorf("a fault that was not removed ends at %v, before its attempt", kill.EndTime.Sub(zero))
			}
			if beside := spans[1].Events; len(beside) != 1 || beside[0].Name != "disturbance" || beside[0].Time.Sub(zero) != at(6) {
				t.Errorf("beside the steps the attempt has %v", beside)
			}
		})
	}
}

// TestEnd: a fault ends when it is removed and what it stopped is back, whichever
// comes last; the parameters of the experiment are those of the run.
func TestEnd(t *testing.T) {
	zero := time.Date(2026, 11, 22, 19, 0, 0, 0, time.UTC)
	p := &plan.Plan{
		Experiment: "one", Parameters: map[string]string{"refused": "2m", "call": "dig.instantiate"},
		Steps: []plan.Step{{Name: "fail", Fault: &plan.Fault{Kind: "PodChaos", Action: "pod-failure"}}},
	}
	for name, events := range map[string][2]string{"removed first": {plan.Removed, plan.Ready}, "ready first": {plan.Ready, plan.Removed}} {
		records := []journal.Record{
			{Kind: journal.Run, Run: "r1", Plan: p}, {Kind: journal.Attempt, Attempt: 1}, {Kind: journal.Event, Step: "fail", Event: plan.Created, At: time.Second},
			{Kind: journal.Event, Step: "fail", Event: events[0], At: 2 * time.Second}, {Kind: journal.Event, Step: "fail", Event: events[1], At: 3 * time.Second},
			{Kind: journal.End, At: time.Minute},
		}
		for i := range records {
			records[i].Time = zero.Add(records[i].At)
		}
		spans := Spans(records)
		if fail := spans[2]; fail.Name != "fail" || fail.EndTime.Sub(zero) != 3*time.Second {
			t.Errorf("%s: %s ends at %v, want 3 s", name, fail.Name, fail.EndTime.Sub(zero))
		}
		const want = "    emco_chaos.parameter.call=dig.instantiate\n    emco_chaos.parameter.refused=2m\n"
		if got := told(spans[:1]); !strings.Contains(got, want) {
			t.Errorf("%s: the run has\n%s", name, got)
		}
	}
}

// TestSeveral: a second run of a journal is no part of the first one's trace.
func TestSeveral(t *testing.T) {
	first := read(t, "passed")
	if got, want := told(Spans(append(slices.Clone(first), read(t, "failed")...))), told(Spans(first)); got != want {
		t.Errorf("with another run behind it:\n%s", got)
	}
}

func TestNoRun(t *testing.T) {
	for name, records := range map[string][]journal.Record{"nothing": nil, "no run": {{Kind: journal.Note, Text: "a note"}}} {
		if spans := Spans(records); spans != nil {
			t.Errorf("%s: %v", name, spans)
		}
	}
	if spans := Spans([]journal.Record{{Kind: journal.Run, Run: "r1"}}); len(spans) != 1 || spans[0].Status.Code != codes.Error {
		t.Errorf("a run that did not begin: %v", spans)
	}
}
