package main

import (
	"bytes"
	"testing"
)

func TestTally(t *testing.T) {
	var out bytes.Buffer
	counted := &tally{out: &out}
	text := "=== RUN   TestA\n    --- PASS: TestA/one (0.00s)\n--- PASS: TestA (0.00s)\n--- SKIP: TestB (0.00s)\n    why\n--- FAIL: TestC (0.00s)\n--- PASS: TestD (0.00s)\nFAIL\n"
	// In pieces, as a pipe gives them.
	for _, piece := range bytes.SplitAfter([]byte(text), []byte("- ")) {
		if _, err := counted.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := counted.String(), "end-to-end tests: 2 passed, 1 failed, 1 skipped"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if out.String() != text {
		t.Errorf("it passed on %q", out.String())
	}
}
