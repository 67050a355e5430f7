package document

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// NameRemedy is the remedy for a text that is no name.
const NameRemedy = "write small letters, digits and hyphens, a letter or digit first and last, 63 characters at most"

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// IsName reports whether the text is a DNS label (RFC 1123), as in Kubernetes.
func IsName(text string) bool { return label.MatchString(text) }

// Shown is [OneLine] with 512 characters at most: the form in which messages
// quote what a file, a server or a plugin wrote.
func Shown(text string) string { return OneLine(text, 512) }

// OneLine makes a text of unknown origin safe to print on one line of a
// terminal: a run of white space and control characters becomes one space,
// characters that steer the direction of text are dropped, and what exceeds
// limit characters is replaced by an ellipsis. A limit of 0 keeps all.
func OneLine(text string, limit int) string {
	var line strings.Builder
	count, space := 0, false
	for _, char := range text {
		switch {
		case unicode.IsSpace(char) || unicode.IsControl(char):
			space = line.Len() > 0
			continue
		case unicode.Is(unicode.Cf, char):
			continue
		case space:
			line.WriteByte(' ')
			count, space = count+1, false
		}
		if limit > 0 && count >= limit {
			line.WriteString("…")
			break
		}
		line.WriteRune(char)
		count++
	}
	return line.String()
}

// Lines makes a text of unknown origin safe to print and keeps its line
// breaks; every other control character becomes a space.
func Lines(text string) string {
	return strings.Map(func(char rune) rune {
		switch {
		case char == '\n':
		case unicode.IsControl(char):
			return ' '
		case unicode.Is(unicode.Cf, char):
			return -1
		}
		return char
	}, text)
}

// Cut replaces what exceeds limit characters by an ellipsis.
func Cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit]) + "…"
}
