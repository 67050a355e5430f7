package report

import (
	"fmt"
	"strings"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/activity"
	"github.com/emco-chaos/emco-chaos/probes/document"
)

// maxWords bounds what is shown of one record: what a system under test
// answers is data, however long.
const maxWords = 400

// clean takes out what a terminal would obey, and bounds the length.
func clean(text string) string { return document.OneLine(text, maxWords) }

// prefixes are said before the texts of records, by their kinds.
var prefixes = map[journal.Kind]string{
	journal.Recheck: "asked again: ", journal.Skipped: "not started: ", journal.Trouble: "trouble: ", journal.Left: "left behind: ",
}

// Words describes a record for a reader who knows the plan.
func Words(p *plan.Plan, record journal.Record) string {
	text := record.Text
	switch record.Kind {
	case journal.Run:
		text = fmt.Sprintf("run %s of %s: %s", record.Run, p.Experiment, p.Title)
	case journal.Attempt:
		text = fmt.Sprintf("attempt %d", record.Attempt)
	case journal.Event:
		step, _ := p.Find(record.Step)
		text = eventWords(step, record)
	case journal.Resource:
		text = colon(record.State+" "+record.Anchor, text)
	case journal.Result, journal.Recheck:
		text = verdict.Said(record)
		if record.Conclusion != string(activity.Passed) {
			text = record.Conclusion + ": " + text
		}
	case journal.Disturbance:
		text = record.Service + " died too: " + text
	case journal.Verdict:
		text = colon(strings.ToUpper(record.Verdict), text)
	}
	return clean(prefixes[record.Kind] + text)
}

func eventWords(step plan.Step, record journal.Record) string {
	words := record.Event
	if step.Fault != nil {
		words = step.Fault.Summary + ": " + words
	}
	for _, key := range []string{"request", "outcome", "code", "words", "what"} {
		if value := record.Detail[key]; value != "" && value != record.Event && !strings.Contains(words, value) {
			words += " " + value
		}
	}
	if late := slack(record); late > trusted {
		words += fmt.Sprintf(" (seen then, and up to %.1f s old", late.Seconds())
		if told := record.Detail[journal.Told]; told != "" {
			words += "; the system itself says " + told
		}
		words += ")"
	}
	return words
}

// Meaning says in a sentence what the verdict means.
func (r Run) Meaning() string {
	hit, do, did := ": the fault hit where it was aimed, and the system ", "recover", "recovered"
	if r.Plan.Control {
		hit, do, did = ": the system ", "do", "did"
	}
	switch r.Verdict {
	case verdict.Passed:
		return string(r.Verdict) + hit + did + " as it promises"
	case verdict.Failed:
		return string(r.Verdict) + hit + "did not " + do + " as it promises: " + clean(r.Reason)
	}
	return string(r.Verdict) + ", which says nothing of the system: " + clean(r.Reason)
}

// colon puts what follows after a colon, if anything does.
func colon(text, follows string) string {
	if follows == "" {
		return text
	}
	return text + ": " + follows
}
