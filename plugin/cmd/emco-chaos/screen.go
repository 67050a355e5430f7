package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"golang.org/x/term"
)

// screen shows runs to the user, and counts their verdicts.
type screen struct {
	out   io.Writer
	json  bool
	style report.Style
	live  *report.Live
	runs  []report.Run
	// together has the runs told together at the end, as many of each.
	together bool
}

// newScreen shows so many runs. On a terminal that is brief unless the user wants all.
func newScreen(out io.Writer, options runOptions, runs int) *screen {
	live, terminal := out, isTerminal(out)
	// Both are conventions: https://no-color.org, and terminfo's name of what can nothing.
	able := terminal && os.Getenv("TERM") != "dumb"
	s := &screen{out: out, json: options.output == outputJSON, together: options.repeats, style: report.Style{
		Brief: terminal && !options.verbose, Redraw: able, Colour: able && os.Getenv("NO_COLOR") == "", Total: runs,
	}}
	if s.json {
		live, s.style = io.Discard, report.Style{}
	}
	s.live = report.NewLive(live, s.style)
	return s
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// show prints the report of a run, which is made from its journal alone, and the
// ID of the trace that is sent of it, if one is.
func (s *screen) show(history *journal.Journal, file, trace string) error {
	told := report.Runs(history.Records())[0]
	s.runs = append(s.runs, told)
	if trace != "" {
		file += "\n  trace " + trace
	}
	if s.json {
		return report.Formats["json"](s.out, told)
	}
	if !s.style.Brief || told.Verdict != verdict.Passed {
		fmt.Fprintln(s.out)
		if err := report.Text(s.out, told); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(s.out, "  journal %s\n\n", file)
	return err
}

// end prints the last line, and returns the exit code as an error. What went wrong
// before counts more; if nothing was begun, which is a nil screen, it is all.
func (s *screen) end(wrong error) error {
	if s == nil {
		return wrong
	}
	s.live.Close()
	tally := report.TallyOf(s.runs)
	var err error
	switch {
	case s.json:
		err = json.NewEncoder(s.out).Encode(tally)
	case s.together:
		err = report.Stats["text"](s.out, s.runs...)
		fmt.Fprintf(s.out, "\n%s\n", tally)
	case len(s.runs) > 1:
		err = report.Table(s.out, s.runs...)
		fmt.Fprintf(s.out, "\n%s\n", tally)
	default:
		fmt.Fprintln(s.out, tally)
	}
	if err = cmp.Or(wrong, failure(err)); err != nil {
		return err
	}
	return cli.Ended(tally.ExitCode())
}
