// Package trace tells a run as an OpenTelemetry trace, made from its journal
// alone: a span for the run, one for each attempt below it, and one for each step
// below that.
package trace

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// longest bounds a text of an attribute: a system under test decides some.
const longest = 1000

// ID is the trace of a run, by the first record of its journal. A run that is sent
// again is the same trace.
func ID(first journal.Record) trace.TraceID {
	sum := sha256.Sum256([]byte(first.Run + "\x00" + first.Time.UTC().Format(time.RFC3339Nano)))
	return trace.TraceID(sum[:16])
}

// Spans are those of the first run of a journal, its own before the others.
func Spans(records []journal.Record) tracetest.SpanStubs {
	all := journal.Split(records, journal.Run)
	if len(all) == 0 {
		return nil
	}
	records = all[0]
	run := report.Runs(records)[0]
	b := builder{run: run, id: ID(records[0]), zero: records[0].Time.Add(-records[0].At)}
	root := b.span(trace.SpanContext{}, run.Plan.Experiment, records)
	root.Attributes = append(texts("run", run.Name, "experiment", run.Plan.Experiment, "target", run.Plan.Target),
		attribute.Int("emco_chaos.attempts", run.Attempt))
	for _, name := range slices.Sorted(maps.Keys(run.Plan.Parameters)) {
		root.Attributes = append(root.Attributes, texts("parameter."+name, run.Plan.Parameters[name])...)
	}
	judge(&root, run.Verdict, run.Reason)
	for _, left := range run.Left {
		root.Events = append(root.Events, sdktrace.Event{Name: string(journal.Left), Time: root.EndTime, Attributes: texts("words", left)})
	}
	b.spans = tracetest.SpanStubs{root}
	for _, attempt := range journal.Split(records, journal.Attempt) {
		b.attempt(root.SpanContext, attempt)
	}
	return b.spans
}

// builder makes the spans of one run.
type builder struct {
	run report.Run
	id  trace.TraceID
	// zero is the time of day that the journal's moments count from: its own times
	// of day may have been set meanwhile.
	zero  time.Time
	spans tracetest.SpanStubs
}

// span begins and ends with the records.
func (b *builder) span(parent trace.SpanContext, name string, records []journal.Record) tracetest.SpanStub {
	begin, end := records[0].At, records[0].At
	for _, record := range records {
		begin, end = min(begin, record.At), max(end, record.At)
	}
	parentID := parent.SpanID()
	sum := sha256.Sum256(append(append(b.id[:], parentID[:]...), name...))
	return tracetest.SpanStub{
		Name: name, Parent: parent, SpanKind: trace.SpanKindInternal,
		SpanContext: trace.NewSpanContext(trace.SpanContextConfig{TraceID: b.id, SpanID: trace.SpanID(sum[:8]), TraceFlags: trace.FlagsSampled}),
		StartTime:   b.zero.Add(begin), EndTime: b.zero.Add(end),
	}
}

// attempt adds the spans of an attempt. What happened beside its steps, or after
// one has ended, are events of its own.
func (b *builder) attempt(root trace.SpanContext, records []journal.Record) {
	one := b.span(root, fmt.Sprintf("attempt %d", records[0].Attempt), records)
	happened, steps := verdict.Read(b.run.Plan, records), map[string][]journal.Record{}
	for _, record := range records {
		switch record.Kind {
		case journal.Event, journal.Result:
			steps[record.Step] = append(steps[record.Step], record)
		case journal.Disturbance, journal.Skipped, journal.Recheck, journal.Trouble:
			one.Events = append(one.Events, b.event(string(record.Kind), record))
		case journal.Verdict:
			judge(&one, verdict.Verdict(record.Verdict), record.Text)
		}
	}
	b.spans = append(b.spans, one)
	for _, step := range slices.Concat([]plan.Step{b.run.Plan.Given}, b.run.Plan.Steps, []plan.Step{b.run.Plan.Teardown}) {
		if own := steps[step.Name]; len(own) > 0 {
			b.step(one, step, own, happened)
		}
	}
}

// step adds the span of a step, from when it was triggered to its end. One that
// has none lasts as long as the attempt.
func (b *builder) step(attempt tracetest.SpanStub, step plan.Step, records []journal.Record, happened verdict.History) {
	one := b.span(attempt.SpanContext, step.Name, records)
	if at, triggered := triggered(step, happened); triggered && b.zero.Add(at).Before(one.StartTime) {
		one.StartTime = b.zero.Add(at)
	}
	ended := false
	for _, record := range records {
		if record.Kind == journal.Event {
			one.Events = append(one.Events, b.event(record.Event, record))
			ended = ended || step.Fault != nil && record.Event == plan.Removed
			continue
		}
		ended = true
		words := report.Words(b.run.Plan, record)
		one.Attributes = append(one.Attributes, texts("conclusion", record.Conclusion, "words", words, "outcome", record.Outcome)...)
		if record.Conclusion == string(activity.Failed) || record.Conclusion == string(activity.Errored) {
			one.Status = sdktrace.Status{Code: codes.Error, Description: bounded(record.Text)}
		}
	}
	if !ended {
		one.EndTime = attempt.EndTime
	}
	switch {
	case step.Fault != nil:
		one.Attributes = append(one.Attributes, texts("fault", step.Fault.Summary, "fault.kind", step.Fault.Kind, "fault.action", step.Fault.Action)...)
	case step.Activity != nil:
		one.Attributes = append(one.Attributes, texts("activity", step.Activity.Summary)...)
	}
	b.spans = append(b.spans, one)
}

// triggered is when the last event came that the step waits for.
func triggered(step plan.Step, happened verdict.History) (latest time.Duration, triggered bool) {
	for _, ref := range step.After {
		at, fired := happened.At(ref.Step, ref.Event)
		if !fired {
			return 0, false
		}
		latest = max(latest, at)
	}
	return latest, len(step.After) > 0
}

func (b *builder) event(name string, record journal.Record) sdktrace.Event {
	words, step := report.Words(b.run.Plan, record), record.Step
	if words == name {
		words = ""
	}
	if record.Kind == journal.Event {
		step = "" // that of the span
	}
	return sdktrace.Event{Name: name, Time: b.zero.Add(record.At), Attributes: texts("words", words, "step", step, "service", record.Service)}
}

// judge gives a span its verdict. An Inconclusive run says nothing of the system,
// so its status is neither.
func judge(span *tracetest.SpanStub, judged verdict.Verdict, reason string) {
	span.Attributes = append(span.Attributes, texts("verdict", string(judged), "reason", reason)...)
	switch judged {
	case verdict.Passed:
		span.Status = sdktrace.Status{Code: codes.Ok}
	case verdict.Failed, verdict.Error:
		span.Status = sdktrace.Status{Code: codes.Error, Description: bounded(reason)}
	}
}

func bounded(value string) string { return document.OneLine(value, longest) }

// texts are attributes, by names and values in turn. One without a value is left out.
func texts(pairs ...string) (all []attribute.KeyValue) {
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			all = append(all, attribute.String("emco_chaos."+pair[0], bounded(pair[1])))
		}
	}
	return all
}
