package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Markdown writes the runs as a table, and a section for each.
func Markdown(out io.Writer, runs ...Run) error {
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
		markdown(&b, r)
	}
	return write(out, b.String())
}

func markdown(b *strings.Builder, r Run) {
	fmt.Fprintf(b, "\n## %s: %s\n\n%s. Times in seconds from %s.\n\n| time | step | what happened |\n| ---: | --- | --- |\n",
		escape(r.Plan.Experiment), r.Verdict, escape(r.Plan.Title), escape(r.origin.Name))
	for _, finding := range r.Findings() {
		fmt.Fprintf(b, "| %+.3f | %s | %s |\n", finding.At.Seconds(), escape(finding.Step), escape(finding.Text))
	}
	list(b, "\n| evidence | holds |\n| --- | --- |\n", r.Claims(), func(claim verdict.Claim) string {
		holds := "**no**"
		if claim.Holds {
			holds = "yes"
		}
		return fmt.Sprintf("| %s | %s |", escape(claim.Text), holds)
	})
	list(b, "\n", r.facts(), func(fact fact) string { return fmt.Sprintf("- %s: %s", fact.Name, escape(fact.Value)) })
	list(b, "\nLeft behind:\n\n", r.Left, func(left string) string { return "- " + escape(left) })
}

var (
	special  = regexp.MustCompile("[\\\\`*_\\[\\]|#!]")
	entities = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;")
)

// escape makes text mean itself in Markdown, and in the HTML that it becomes.
func escape(text string) string {
	return entities.Replace(special.ReplaceAllString(clean(text), `\$0`))
}
