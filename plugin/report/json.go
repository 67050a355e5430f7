package report

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// JSON writes a report of each run as one line of JSON.
func JSON(out io.Writer, runs ...Run) error {
	return each(out, runs, func(b *strings.Builder, r Run) {
		// Nothing of this can fail to be JSON.
		_ = json.NewEncoder(b).Encode(struct {
			Run        string            `json:"run"`
			Experiment string            `json:"experiment"`
			Target     string            `json:"target"`
			Verdict    string            `json:"verdict"`
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
			r.Name, r.Plan.Experiment, r.Plan.Target, string(r.Verdict), r.Reason, r.Attempt,
			r.first.Time, r.took.Seconds(), r.Ended, r.first.Target, r.versions(), r.Plan.Parameters, r.Recoveries(),
			r.origin.Name, r.Findings(), r.Claims(), r.Left,
		})
	})
}
