package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
)

// longestWords bounds what is shown of one record: what a system under test
// answers is data, however long.
const longestWords = 400

// Words say what a record tells, for a reader who knows the plan.
func Words(p *plan.Plan, record journal.Record) string {
	step, _ := p.Find(record.Step)
	switch record.Kind {
	case journal.Run:
		return clean(fmt.Sprintf("run %s of %s: %s", record.Run, p.Experiment, p.Title))
	case journal.Attempt:
		return fmt.Sprintf("attempt %d", record.Attempt)
	case journal.Event:
		return clean(eventWords(step, record))
	case journal.Note:
		return clean(record.Text)
	case journal.Resource:
		text := record.State + " " + record.Anchor
		if record.Text != "" {
			text += ": " + record.Text
		}
		return clean(text)
	case journal.Result:
		text := record.Text
		if record.Conclusion != "passed" {
			text = record.Conclusion + ": " + text
		}
		return clean(text)
	case journal.Skipped:
		return clean("not started: " + record.Text)
	case journal.Trouble:
		return clean("trouble: " + record.Text)
	case journal.Verdict:
		text := strings.ToUpper(record.Verdict)
		if record.Text != "" {
			text += ": " + record.Text
		}
		return clean(text)
	case journal.Left:
		return clean("left behind: " + record.Text)
	case journal.End:
		return clean(record.Text)
	}
	return clean(string(record.Kind))
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
	return words
}

// clean takes out what a terminal would obey, and bounds the length.
func clean(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	text = strings.TrimSpace(text)
	if runes := []rune(text); len(runes) > longestWords {
		text = string(runes[:longestWords]) + "…"
	}
	return text
}
