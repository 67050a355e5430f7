package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitReason `xml:"failure,omitempty"`
	Error   *junitReason `xml:"error,omitempty"`
	Skipped *junitReason `xml:"skipped,omitempty"`
	Out     string       `xml:"system-out"`
}

type junitReason struct {
	Message string `xml:"message,attr"`
}

// JUnit writes the runs as a JUnit test suite. A Failed run is a failure, an
// Error an error, and an Inconclusive run is skipped, because it says nothing.
func JUnit(out io.Writer, runs []Run) error {
	suite := junitSuite{Name: "emco-chaos", Tests: len(runs)}
	var total time.Duration
	for _, r := range runs {
		var text strings.Builder
		if err := Text(&text, r); err != nil {
			return err
		}
		one := junitCase{Class: clean(r.Plan.Target), Name: clean(r.Plan.Experiment), Time: junitSeconds(r.took()), Out: text.String()}
		reason := &junitReason{Message: clean(r.Reason)}
		switch r.Verdict {
		case verdict.Passed:
		case verdict.Failed:
			one.Failure = reason
			suite.Failures++
		case verdict.Inconclusive:
			one.Skipped = reason
			suite.Skipped++
		default:
			one.Error = reason
			suite.Errors++
		}
		total += r.took()
		suite.Cases = append(suite.Cases, one)
	}
	suite.Time = junitSeconds(total)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	encoder := xml.NewEncoder(out)
	encoder.Indent("", "  ")
	if err := encoder.Encode(suite); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func junitSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
