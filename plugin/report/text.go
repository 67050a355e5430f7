package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Text writes a report of each run for a reader.
func Text(out io.Writer, runs ...Run) error { return each(out, runs, text) }

func text(b *strings.Builder, r Run) {
	fmt.Fprintf(b, "%s: %s\n", clean(r.Plan.Experiment), strings.ToUpper(string(r.Verdict)))
	fmt.Fprintf(b, "  %s\n", clean(r.Plan.Title))
	if r.Reason != "" {
		fmt.Fprintf(b, "  %s\n", clean(r.Reason))
	}
	for _, fact := range r.facts() {
		fmt.Fprintf(b, "  %s %s\n", fact.Name, fact.Value)
	}
	fmt.Fprintf(b, "  what happened, from %s\n", clean(r.origin.Name))
	width := 0
	for _, step := range r.Plan.Steps {
		width = max(width, len(step.Name))
	}
	for _, finding := range r.Findings() {
		fmt.Fprintf(b, "  %s  %-*s  %s\n", seconds(finding.At), width, finding.Step, finding.Text)
	}
	list(b, "  evidence\n", r.Claims(), func(claim verdict.Claim) string {
		return "    " + map[bool]string{true: "yes", false: "NO "}[claim.Holds] + "  " + claim.Text
	})
	list(b, "  left behind\n", r.Left, func(left string) string { return "    " + clean(left) })
}

func seconds(d time.Duration) string { return fmt.Sprintf("%+9.3f s", d.Seconds()) }
