package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Text writes a finding for a reader: how it is, what was looked at, what was
// found there, and below that how to mend it.
func Text(out io.Writer, finding Finding) error {
	message := finding.Message
	if finding.Subject != "" {
		message = finding.Subject + ": " + message
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%-7s  %-10s  %s\n", finding.State, finding.Check, message)
	if finding.Remedy != "" {
		for line := range strings.SplitSeq(finding.Remedy, "\n") {
			fmt.Fprintf(&text, "%21s%s\n", "", line)
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}
