package doctor

import (
	"fmt"
	"io"
	"strings"
)

// State is how a finding is.
type State string

const (
	OK      State = "ok"
	Warn    State = "warn"    // does not stop experiments
	Fail    State = "fail"    // does
	Skipped State = "skipped" // could not be looked at, because of another failure
)

// Finding is what was found at one place.
type Finding struct {
	Check   string `json:"check"`
	State   State  `json:"state"`
	Subject string `json:"subject,omitempty"` // what was looked at; empty when the check says it
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // the command, or the change, that mends it
	Pods    []Pod  `json:"pods,omitempty"`   // those that a selector matches
}

// Pod is a pod that a selector matches.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node,omitempty"`
	Ready     bool   `json:"ready"`
	Why       string `json:"why,omitempty"` // why it is not ready
}

func (p Pod) String() string {
	text := p.Name
	if p.Node != "" {
		text += " on " + p.Node
	}
	if p.Ready {
		return text + ", ready"
	}
	return text + ", not ready: " + p.Why
}

// Report is all that was found.
type Report struct {
	Target   string    `json:"target"`
	Findings []Finding `json:"findings"`
	OK       int       `json:"ok"`
	Warned   int       `json:"warned"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
}

// Healthy reports whether nothing failed.
func (r Report) Healthy() bool { return r.Failed == 0 }

// String is the report's last line.
func (r Report) String() string {
	return fmt.Sprintf("%d ok, %d warned, %d failed, %d skipped", r.OK, r.Warned, r.Failed, r.Skipped)
}

// Text writes a finding for a reader, and below it how to mend it.
func Text(out io.Writer, finding Finding) error {
	message := finding.Message
	if finding.Subject != "" {
		message = finding.Subject + ": " + message
	}
	text := fmt.Sprintf("%-7s  %-10s  %s\n", finding.State, finding.Check, message)
	if finding.Remedy != "" {
		for line := range strings.SplitSeq(finding.Remedy, "\n") {
			text += fmt.Sprintf("%21s%s\n", "", line)
		}
	}
	_, err := io.WriteString(out, text)
	return err
}
