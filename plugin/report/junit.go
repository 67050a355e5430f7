package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
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
	Class string `xml:"classname,attr"`
	Name  string `xml:"name,attr"`
	Time  string `xml:"time,attr"`
	// Properties are numbers of seconds, and texts.
	Properties []junitProperty `xml:"properties>property"`
	Reason     *junitReason
	Out        string `xml:"system-out"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitReason struct {
	XMLName xml.Name
	Message string `xml:"message,attr"`
}

// junitElements are those of the verdicts; of any other it is error. An
// Inconclusive run is skipped: it proves nothing.
var junitElements = map[verdict.Verdict]string{verdict.Failed: "failure", verdict.Inconclusive: "skipped"}

// JUnit writes the runs as a JUnit test suite.
func JUnit(out io.Writer, runs ...Run) error {
	tally := TallyOf(runs)
	var total time.Duration
	var cases []junitCase
	for _, r := range runs {
		total += r.took
		var text strings.Builder
		if err := Text(&text, r); err != nil {
			return err
		}
		one := junitCase{Class: clean(r.Plan.Target), Name: clean(Case(r.Plan)), Time: plainSeconds(r.took), Out: text.String()}
		for _, fact := range r.Facts() {
			if fact.Name != "recovery" {
				one.Properties = append(one.Properties, junitProperty(fact))
			}
		}
		for _, recovery := range r.Recoveries() {
			step := clean(recovery.Step)
			for _, phase := range recovery.Phases {
				one.Properties = append(one.Properties,
					junitProperty{step + "." + phase.Name + ".seconds", fmt.Sprintf("%.3f", phase.Seconds)},
					junitProperty{step + "." + phase.Name + ".at-most.seconds", fmt.Sprintf("%.3f", phase.AtMost)})
			}
		}
		if r.Verdict != verdict.Passed {
			element := cmp.Or(junitElements[r.Verdict], "error")
			one.Reason = &junitReason{XMLName: xml.Name{Local: element}, Message: clean(r.Reason)}
		}
		cases = append(cases, one)
	}
	data, err := xml.MarshalIndent(junitSuite{
		Name: "emco-chaos", Tests: len(runs), Failures: tally.Failed, Errors: tally.Errors, Skipped: tally.Inconclusive,
		Time: plainSeconds(total), Cases: cases,
	}, "", "  ")
	if err != nil {
		return written(err)
	}
	return write(out, xml.Header+string(data)+"\n")
}
