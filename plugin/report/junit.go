package report

import (
	"encoding/xml"
	"io"
	"strings"
	"time"
)

// JUnit writes the runs as a JUnit test suite.
func JUnit(out io.Writer, runs ...Run) error {
	took := time.Duration(0)
	for _, r := range runs {
		took += r.Took
	}
	return fill(out, "junit.gotmpl", struct {
		Tally
		Took time.Duration
		Runs []Run
	}{TallyOf(runs), took, runs})
}

// Text is the report of the run for a reader.
func (r Run) Text() (string, error) {
	var b strings.Builder
	err := Text(&b, r)
	return b.String(), err
}

// escapeXML makes text mean itself in XML.
func escapeXML(text string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(text))
	return b.String(), err
}
