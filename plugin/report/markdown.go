package report

import (
	"fmt"
	"io"
	"strings"
)

// Markdown writes the runs as a table, and a section for each.
func Markdown(out io.Writer, runs []Run) error {
	var b strings.Builder
	var tally Tally
	for _, r := range runs {
		tally.Add(r.Verdict)
	}
	fmt.Fprintf(&b, "# %s\n\n| experiment | target | verdict | reason |\n| --- | --- | --- | --- |\n", tally)
	for _, r := range runs {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", escape(r.Plan.Experiment), escape(r.Plan.Target), r.Verdict, escape(r.Reason))
	}
	for _, r := range runs {
		_, origin := r.origin()
		fmt.Fprintf(&b, "\n## %s: %s\n\n%s. Run %s, attempt %d. Times in seconds from %s.\n\n| time | step | what happened |\n| ---: | --- | --- |\n",
			escape(r.Plan.Experiment), r.Verdict, escape(r.Plan.Title), escape(r.Name), r.Attempt, escape(origin))
		for _, finding := range r.Findings() {
			fmt.Fprintf(&b, "| %+.3f | %s | %s |\n", finding.At.Seconds(), escape(finding.Step), escape(finding.Text))
		}
		if claims := r.Claims(); len(claims) > 0 {
			b.WriteString("\n| evidence | holds |\n| --- | --- |\n")
			for _, claim := range claims {
				holds := "yes"
				if !claim.Holds {
					holds = "**no**"
				}
				fmt.Fprintf(&b, "| %s | %s |\n", escape(claim.Text), holds)
			}
		}
		if len(r.Left) > 0 {
			b.WriteString("\nLeft behind:\n\n")
			for _, left := range r.Left {
				fmt.Fprintf(&b, "- %s\n", escape(left))
			}
		}
	}
	if _, err := io.WriteString(out, b.String()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// escape makes text mean itself in Markdown, and in the HTML that it becomes.
func escape(text string) string {
	text = clean(text)
	var b strings.Builder
	for _, r := range text {
		switch r {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '\\', '`', '*', '_', '[', ']', '|', '#', '!':
			b.WriteRune('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
