package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

// The forms of output.
const (
	outputText    = "text"
	outputJSON    = "json"
	outputEmcoctl = "emcoctl"
)

func checkOutput(output string) error {
	if !slices.Contains([]string{outputText, outputJSON, outputEmcoctl}, output) {
		return fmt.Errorf("-o %s: write text, json or emcoctl", output)
	}
	return nil
}

// watcher shows what a probe sees.
type watcher struct {
	output string
	out    io.Writer
	errs   io.Writer
	began  time.Time

	mu        sync.Mutex
	events    []seen
	resources []seen
}

// seen is something that a probe saw, and when, in seconds from its start.
type seen struct {
	Seconds float64           `json:"seconds"`
	Event   string            `json:"event,omitempty"`
	Note    string            `json:"note,omitempty"`
	Anchor  string            `json:"anchor,omitempty"`
	State   string            `json:"state,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// most bounds what is kept for the output.
const most = 10_000

func newWatcher(output string, out, errs io.Writer) *watcher {
	return &watcher{output: output, out: out, errs: errs, began: time.Now()}
}

func (w *watcher) since(at time.Time) float64 { return at.Sub(w.began).Seconds() }

func (w *watcher) say(at time.Time, text string) {
	if w.output == outputText {
		fmt.Fprintf(w.errs, "%8.3fs  %s\n", w.since(at), text)
	}
}

// Event shows the moments of a call. The other events of a probe are said by
// its result.
func (w *watcher) Event(name string, at time.Time, detail map[string]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) < most {
		w.events = append(w.events, seen{Seconds: w.since(at), Event: name, Detail: detail})
	}
	w.say(at, name)
}

// Note shows a note.
func (w *watcher) Note(at time.Time, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) < most {
		w.events = append(w.events, seen{Seconds: w.since(at), Note: text})
	}
	w.say(at, text)
}

// Resource shows what is made and removed.
func (w *watcher) Resource(resource probes.Resource) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if len(w.resources) < most {
		w.resources = append(w.resources, seen{Seconds: w.since(now), Anchor: resource.Anchor, State: string(resource.State), Reason: resource.Reason})
	}
	if resource.State == probes.Making {
		return
	}
	text := string(resource.State) + " " + resource.Anchor
	if resource.Reason != "" {
		text += ": " + resource.Reason
	}
	w.say(now, text)
}

// answered shows each call in emcoctl's form.
func (w *watcher) answered(answer emco.Answer) {
	if w.output == outputEmcoctl {
		w.mu.Lock()
		defer w.mu.Unlock()
		fmt.Fprint(w.out, emcoctl.Text(answer))
	}
}

// answer is a probe's answer as JSON.
type answer struct {
	Probe      string            `json:"probe"`
	Conclusion probes.Conclusion `json:"conclusion"`
	Message    string            `json:"message"`
	Outcome    string            `json:"outcome,omitempty"`
	Evidence   map[string]string `json:"evidence,omitempty"`
	Seconds    float64           `json:"seconds"`
	Seen       []seen            `json:"seen,omitempty"`
	Resources  []seen            `json:"resources,omitempty"`
}

// end shows the result.
func (w *watcher) end(kind string, result probes.Result) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch w.output {
	case outputJSON:
		return json.NewEncoder(w.out).Encode(answer{
			Probe: kind, Conclusion: result.Conclusion, Message: document.Shown(result.Message), Outcome: result.Outcome,
			Evidence: result.Evidence, Seconds: time.Since(w.began).Seconds(), Seen: w.events, Resources: w.resources,
		})
	case outputEmcoctl:
		_, err := fmt.Fprintf(w.errs, "%s: %s\n", result.Conclusion, document.Shown(result.Message))
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(result.Evidence)) {
		fmt.Fprintf(w.errs, "           %s: %s\n", name, document.Shown(result.Evidence[name]))
	}
	_, err := fmt.Fprintf(w.out, "%s: %s\n", result.Conclusion, document.Shown(result.Message))
	return err
}
