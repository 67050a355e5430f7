package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// tally passes on what go test -v prints, and counts the tests by how they
// ended: one that was skipped has not passed.
type tally struct {
	out                     io.Writer
	line                    []byte
	passed, failed, skipped int
}

func (t *tally) Write(text []byte) (int, error) {
	t.line = append(t.line, text...)
	for {
		end := bytes.IndexByte(t.line, '\n')
		if end < 0 {
			break
		}
		// Subtests, which are indented, are parts of theirs.
		switch line := string(t.line[:end]); {
		case strings.HasPrefix(line, "--- PASS: "):
			t.passed++
		case strings.HasPrefix(line, "--- FAIL: "):
			t.failed++
		case strings.HasPrefix(line, "--- SKIP: "):
			t.skipped++
		}
		t.line = t.line[end+1:]
	}
	return t.out.Write(text)
}

func (t *tally) String() string {
	return fmt.Sprintf("end-to-end tests: %d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}
