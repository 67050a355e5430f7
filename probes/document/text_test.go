package document

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"":                       "",
		"plain":                  "plain",
		" a\n\tb \r\n":           "a b",
		"\x1b[31mred\x00":        "[31mred",
		"abc\u202edef\u200b":     "abcdef",
		"bad \xff byte":          "bad \ufffd byte",
		strings.Repeat("ü", 600): strings.Repeat("ü", 512) + "…",
		strings.Repeat("a", 512): strings.Repeat("a", 512),
	} {
		if got := Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLines(t *testing.T) {
	const in, want = "one\ttab\nl\u202eine \x1b[31mred\r\n", "one tab\nline  [31mred \n"
	if got := Lines(in); got != want {
		t.Errorf("Lines(%q) = %q, want %q", in, got, want)
	}
}

func TestCut(t *testing.T) {
	for in, want := range map[string]string{"": "", "four": "four", "fiveü": "five…", "üüüüü": "üüüü…"} {
		if got := Cut(in, 4); got != want {
			t.Errorf("Cut(%q, 4) = %q, want %q", in, got, want)
		}
	}
}
