package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// tally passes on what go test -json tells as go test -v would print it,
// counts the tests by how they ended (one that was skipped has not passed),
// and keeps what those that failed or were skipped printed: a subtest that is
// skipped lets its test pass.
type tally struct {
	out                     io.Writer
	line                    []byte
	printed                 map[testName][]string
	failures, skips         []unpassed
	passed, failed, skipped int
}

// testName names a test of a package, or the package. A subtest's name has
// that of its test before it.
type testName struct{ folder, name string }

// unpassed is a test that failed, with what it printed itself, or was skipped,
// with the reason.
type unpassed struct {
	testName
	printed []string
}

// event is a line of go test -json. The source is `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, printed: map[testName][]string{}}
}

func (t *tally) Write(text []byte) (int, error) {
	t.line = append(t.line, text...)
	for {
		end := bytes.IndexByte(t.line, '\n')
		if end < 0 {
			return len(text), nil
		}
		if err := t.read(t.line[:end+1]); err != nil {
			return 0, err
		}
		t.line = t.line[end+1:]
	}
}

// read takes a whole line.
func (t *tally) read(line []byte) error {
	var one event
	if err := json.Unmarshal(line, &one); err != nil {
		// A tool that go test started has printed it.
		one = event{Action: "output", Output: string(line)}
	}
	t.count(one)
	_, err := io.WriteString(t.out, one.Output)
	return err
}

func (t *tally) count(one event) {
	this := testName{one.Package, one.Test}
	whole := one.Test != "" && !strings.Contains(one.Test, "/")
	switch one.Action {
	case "output":
		if !strings.HasPrefix(one.Output, "=== ") {
			t.printed[this] = append(t.printed[this], one.Output)
		}
		return
	case "pass":
		if whole {
			t.passed++
		}
	case "skip":
		if one.Test != "" {
			t.skips = append(t.skips, unpassed{this, reason(t.printed[this])})
		}
		if whole {
			t.skipped++
		}
	case "fail":
		t.failures = append(t.failures, unpassed{this, t.printed[this]})
		if whole {
			t.failed++
		}
	default:
		return
	}
	delete(t.printed, this)
}

// reason is what a test printed last, when it was skipped.
func reason(printed []string) []string {
	lines := slices.DeleteFunc(slices.Clone(printed), func(line string) bool { return strings.Contains(line, "--- SKIP: ") })
	for at := len(lines) - 1; at > 0; at-- {
		if strings.Contains(lines[at], "_test.go:") {
			return lines[at:]
		}
	}
	return lines
}

// String is why tests were skipped, what those that failed have printed, and
// the count.
func (t *tally) String() string {
	var text strings.Builder
	for _, ended := range []struct {
		how   string
		tests []unpassed
	}{{"skipped", t.skips}, {"failed", t.failures}} {
		for _, one := range ended.tests {
			fmt.Fprintf(&text, "%s: %s\n", ended.how, strings.TrimSpace(one.folder+" "+one.name))
			for _, line := range one.printed {
				text.WriteString("  " + line)
			}
		}
	}
	fmt.Fprintf(&text, "end-to-end tests: %d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
	if subtests := len(t.skips) - t.skipped; subtests > 0 {
		fmt.Fprintf(&text, "; subtests skipped: %d", subtests)
	}
	return text.String()
}
