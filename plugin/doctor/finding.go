package doctor

import "fmt"

// State says how a check ended.
type State string

// The states.
const (
	OK State = "ok"
	// Warn is what does not stop experiments.
	Warn State = "warn"
	// Fail is what does.
	Fail State = "fail"
	// Skipped is what could not be looked at, because of another failure.
	Skipped State = "skipped"
)

// Finding is what was found at one place.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	// Subject is what was looked at; empty when the check says it.
	Subject string `json:"subject,omitempty"`
	Message string `json:"message"`
	// Remedy is the command, or the change, that mends it.
	Remedy string `json:"remedy,omitempty"`
	// Pods are those that a selector matches.
	Pods []Pod `json:"pods,omitempty"`
}

// Pod is a pod that a selector matches.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node,omitempty"`
	Ready     bool   `json:"ready"`
	// Why says why it is not ready.
	Why string `json:"why,omitempty"`
}

func (p Pod) String() string {
	text := p.Name
	if p.Node != "" {
		text += " on " + p.Node
	}
	switch {
	case p.Ready:
		return text + ", ready"
	case p.Why != "":
		return text + ", not ready: " + p.Why
	default:
		return text + ", not ready"
	}
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

func (r *Report) add(finding Finding) {
	r.Findings = append(r.Findings, finding)
	switch finding.State {
	case OK:
		r.OK++
	case Warn:
		r.Warned++
	case Fail:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
}

// Healthy says whether nothing failed.
func (r Report) Healthy() bool { return r.Failed == 0 }

// String is the report's last line.
func (r Report) String() string {
	return fmt.Sprintf("%d ok, %d warned, %d failed, %d skipped", r.OK, r.Warned, r.Failed, r.Skipped)
}
