package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPageOfTheDemo: the page is written, of all runs, and named as the last thing.
func TestPageOfTheDemo(t *testing.T) {
	var out bytes.Buffer
	s := &session{errs: &out}
	journals := t.TempDir()
	for _, name := range []string{"passed.jsonl", "failed.jsonl", "died.jsonl"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "report", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(journals, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "report.html")
	if err := s.page(t.Context(), journals, path); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(page, []byte("1 passed, 1 failed, 0 inconclusive, 1 errors")) {
		t.Errorf("%v; the page is\n%.500s", err, page)
	}
	if !strings.HasSuffix(out.String(), ": "+path+"\n") {
		t.Errorf("the page is not named: %q", out.String())
	}
	out.Reset()
	if err := s.page(t.Context(), t.TempDir(), path); err == nil || out.Len() > 0 {
		t.Errorf("without a journal it is named all the same: %v, %q", err, out.String())
	}
}
