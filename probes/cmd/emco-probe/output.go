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

// display shows what a probe observes.
type display struct {
	form      emcoctl.Form
	out, errs io.Writer
	began     time.Time

	mu                sync.Mutex
	events, resources []observation
}

// observation is what a probe observed, and when, in seconds from its start.
type observation struct {
	Seconds float64           `json:"seconds"`
	Event   string            `json:"event,omitempty"`
	Note    string            `json:"note,omitempty"`
	Anchor  string            `json:"anchor,omitempty"`
	State   string            `json:"state,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// maxObservations bounds each list of observations that is kept for the output.
const maxObservations = 10_000

// record keeps an observation, and prints its line unless that is empty.
func (d *display) record(list *[]observation, at time.Time, one observation, line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one.Seconds = at.Sub(d.began).Seconds()
	if len(*list) < maxObservations {
		*list = append(*list, one)
	}
	if line != "" && d.form == emcoctl.Plain {
		fmt.Fprintf(d.errs, "%8.3fs  %s\n", one.Seconds, line)
	}
}

func (d *display) Event(name string, at time.Time, detail map[string]string) {
	d.record(&d.events, at, observation{Event: name, Detail: detail}, name)
}

func (d *display) Note(at time.Time, text string) {
	d.record(&d.events, at, observation{Note: text}, text)
}

// Resource shows what is made and removed.
func (d *display) Resource(resource probes.Resource) {
	line := string(resource.State) + " " + resource.Anchor
	switch {
	case resource.State == probes.Making:
		line = ""
	case resource.Reason != "":
		line += ": " + resource.Reason
	}
	d.record(&d.resources, time.Now(), observation{Anchor: resource.Anchor, State: string(resource.State), Reason: resource.Reason}, line)
}

// answered shows each call in emcoctl's form.
func (d *display) answered(answer emco.Answer) {
	if d.form == emcoctl.Emcoctl {
		d.mu.Lock()
		defer d.mu.Unlock()
		fmt.Fprint(d.out, emcoctl.Text(answer))
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
	Seen       []observation     `json:"seen,omitempty"`
	Resources  []observation     `json:"resources,omitempty"`
}

// newAnswer is the answer of a probe that ends now.
func newAnswer(kind string, result probes.Result, began time.Time) answer {
	return answer{
		Probe: kind, Conclusion: result.Conclusion, Message: document.Shown(result.Message), Outcome: result.Outcome,
		Evidence: result.Evidence, Seconds: time.Since(began).Seconds(),
	}
}

// end shows the result.
func (d *display) end(kind string, result probes.Result) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	line := fmt.Sprintf("%s: %s\n", result.Conclusion, document.Shown(result.Message))
	to := d.out
	switch d.form {
	case emcoctl.JSON:
		answer := newAnswer(kind, result, d.began)
		answer.Seen, answer.Resources = d.events, d.resources
		return json.NewEncoder(d.out).Encode(answer)
	case emcoctl.Emcoctl:
		to = d.errs
	default:
		for _, name := range slices.Sorted(maps.Keys(result.Evidence)) {
			fmt.Fprintf(d.errs, "           %s: %s\n", name, document.Shown(result.Evidence[name]))
		}
	}
	_, err := io.WriteString(to, line)
	return err
}
