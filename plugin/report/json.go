package report

import (
	"encoding/json"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// MarshalJSON makes the report of a run.
func (r Run) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Run        string            `json:"run"`
		Experiment string            `json:"experiment"`
		Target     string            `json:"target"`
		Verdict    verdict.Verdict   `json:"verdict"`
		Reason     string            `json:"reason,omitempty"`
		Attempt    int               `json:"attempt"`
		Began      time.Time         `json:"began"`
		Seconds    float64           `json:"seconds"`
		Ended      bool              `json:"ended"`
		Hash       string            `json:"targetSha256,omitempty"`
		Versions   map[string]string `json:"versions,omitempty"`
		Parameters map[string]string `json:"parameters,omitempty"`
		Recovery   []Recovery        `json:"recovery,omitempty"`
		Origin     string            `json:"origin"`
		Findings   []Finding         `json:"findings"`
		Evidence   []verdict.Claim   `json:"evidence"`
		Left       []string          `json:"left,omitempty"`
	}{
		r.Name, r.Plan.Experiment, r.Plan.Target, r.Verdict, r.Reason, r.Attempt,
		r.first.Time, r.took.Seconds(), r.Ended, r.first.Target, r.versions(), r.Plan.Parameters, r.Recoveries(),
		r.Origin.Name, r.Findings(), r.Claims(), r.Left,
	})
}
