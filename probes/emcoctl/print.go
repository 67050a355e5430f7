package emcoctl

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Form is a form of output.
type Form string

const (
	Plain   Form = "text"    // one line a resource
	JSON    Form = "json"    // one object a resource and one for all, a line each
	Emcoctl Form = "emcoctl" // what emcoctl prints
)

// Forms are all of them, the default first.
func Forms() []Form { return []Form{Plain, JSON, Emcoctl} }

// Printer prints what is done, in one of the forms.
type Printer struct {
	out    *bufio.Writer // keeps the first error, until End
	form   Form
	during string // Apply or Delete, as emcoctl has it
	counts map[Verdict]int
}

// NewPrinter makes a printer; during is Apply or Delete.
func NewPrinter(out io.Writer, form Form, during string) *Printer {
	return &Printer{out: bufio.NewWriter(out), form: form, during: during, counts: map[Verdict]int{}}
}

// Call prints a call in emcoctl's form.
func (p *Printer) Call(anchor string, answer emco.Answer) {
	if p.form == Emcoctl {
		_, _ = p.out.WriteString(Text(answer) + ErrorText(p.during, anchor, answer))
		_ = p.out.Flush()
	}
}

func (p *Printer) Step(step Step) {
	p.counts[step.Verdict]++
	switch p.form {
	case Plain:
		what := step.Anchor
		if name := step.Resource.Name(); name != "" && p.during == "Apply" {
			what += " (" + name + ")"
		}
		fmt.Fprintf(p.out, "%-11s %s: %s\n", step.Verdict, what, document.OneLine(step.Text, shownLimit))
	case JSON:
		answer, of := cmp.Or(step.Answer, &emco.Answer{}), step.Resource
		_ = json.NewEncoder(p.out).Encode(stepJSON{
			of.File, of.Document, of.Line, step.Anchor, of.Name(), step.Verdict, document.OneLine(step.Text, shownLimit),
			answer.Request.Method, answer.URL, answer.Code, answer.Outcome.String(), step.Took.Seconds(),
		})
	}
	_ = p.out.Flush()
}

type stepJSON struct {
	File     string  `json:"file"`
	Document int     `json:"document"`
	Line     int     `json:"line"`
	Anchor   string  `json:"anchor"`
	Name     string  `json:"name,omitempty"`
	Verdict  Verdict `json:"verdict"`
	Text     string  `json:"text"`
	Method   string  `json:"method,omitempty"`
	URL      string  `json:"url,omitempty"`
	Code     int     `json:"code,omitempty"`
	Outcome  string  `json:"outcome,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// End prints the sum, and returns what went wrong with the printing.
func (p *Printer) End() error {
	switch p.form {
	case Plain:
		parts := []string{}
		for _, verdict := range []Verdict{Done, Already, Skipped, Refused, Unreachable} {
			if count := p.counts[verdict]; count > 0 || verdict == Done || verdict == Refused {
				parts = append(parts, fmt.Sprintf("%d %s", count, verdict))
			}
		}
		fmt.Fprintln(p.out, strings.Join(parts, ", "))
	case JSON:
		_ = json.NewEncoder(p.out).Encode(map[string]map[Verdict]int{"summary": p.counts})
	}
	return p.out.Flush()
}

// shownLimit is the number of characters that are shown of an answer's body.
const shownLimit = 16 << 10

// Text is a call and its answer as emcoctl prints them:
//
//	---
//	POST --> URL: http://192.0.2.1:9015/v2/projects
//	Response Code: 201
//	Response: {"metadata":{"name":"p"}}
//
// and, when no answer came, what Go's client says of it:
//
//	Post "http://192.0.2.1:9015/v2/projects": dial tcp 192.0.2.1:9015: connect: connection refused
//
// The body is made fit to be shown: it comes from elsewhere.
func Text(answer emco.Answer) string {
	if answer.Code == 0 {
		return wireError(answer) + "\n"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "---\n%s --> URL: %s\nResponse Code: %d\n", answer.Request.Method, answer.URL, answer.Code)
	if len(answer.Body) > 0 {
		fmt.Fprintf(&text, "Response: %s\n", document.OneLine(string(answer.Body), shownLimit))
	}
	if answer.Request.Method == http.MethodPost && answer.Code == http.StatusAccepted {
		text.WriteString("API Response code 202. Waiting...\n")
	}
	return text.String()
}

// ErrorText is the line with which emcoctl gives up on an anchor, if no
// answer came; else it is empty. During is Apply or Delete.
func ErrorText(during, anchor string, answer emco.Answer) string {
	if answer.Code != 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s Error: %s\n", during, anchor, wireError(answer))
}

func wireError(answer emco.Answer) string {
	method := answer.Request.Method
	return fmt.Sprintf("%s %q: %s", method[:1]+strings.ToLower(method[1:]), answer.URL, answer.Outcome.Words)
}
