package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Text writes the report of one run for a reader.
func Text(out io.Writer, r Run) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", r.Plan.Experiment, strings.ToUpper(string(r.Verdict)))
	fmt.Fprintf(&b, "  %s\n", clean(r.Plan.Title))
	if r.Reason != "" {
		fmt.Fprintf(&b, "  %s\n", clean(r.Reason))
	}
	fmt.Fprintf(&b, "  run %s, attempt %d, target %s\n", r.Name, r.Attempt, clean(r.Plan.Target))
	_, origin := r.origin()
	fmt.Fprintf(&b, "  what happened, from %s\n", origin)
	width := 0
	for _, step := range r.Plan.Steps {
		width = max(width, len(step.Name))
	}
	for _, finding := range r.Findings() {
		fmt.Fprintf(&b, "  %s  %-*s  %s\n", seconds(finding.At), width, finding.Step, finding.Text)
	}
	if claims := r.Claims(); len(claims) > 0 {
		b.WriteString("  evidence\n")
		for _, claim := range claims {
			mark := "yes"
			if !claim.Holds {
				mark = "NO "
			}
			fmt.Fprintf(&b, "    %s  %s\n", mark, claim.Text)
		}
	}
	if len(r.Left) > 0 {
		b.WriteString("  left behind\n")
		for _, left := range r.Left {
			fmt.Fprintf(&b, "    %s\n", clean(left))
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%+9.3f s", d.Seconds()) }
