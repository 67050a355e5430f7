package report

import (
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes the report of one run as one line of JSON.
func JSON(out io.Writer, r Run) error {
	_, origin := r.origin()
	err := json.NewEncoder(out).Encode(struct {
		Run        string    `json:"run"`
		Experiment string    `json:"experiment"`
		Target     string    `json:"target"`
		Verdict    string    `json:"verdict"`
		Reason     string    `json:"reason,omitempty"`
		Attempt    int       `json:"attempt"`
		Origin     string    `json:"origin"`
		Findings   []Finding `json:"findings"`
		Evidence   []Claim   `json:"evidence"`
		Left       []string  `json:"left,omitempty"`
	}{
		r.Name, r.Plan.Experiment, r.Plan.Target, string(r.Verdict), r.Reason, r.Attempt,
		origin, r.Findings(), r.Claims(), r.Left,
	})
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
