package document

import (
	"regexp"
	"slices"
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

// Instead is the remedy for a word that is not known: the nearest one, or all.
func Instead(word string, known []string) string {
	if len(known) == 0 {
		return "remove it"
	}
	if best := nearest(word, known); best != "" {
		return "did you mean " + best + "?"
	}
	if len(known) == 1 {
		return "only " + known[0] + " can stand here"
	}
	return "use one of: " + strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", ")
}

// nearest is the known word with the smallest edit distance; empty if none is near.
func nearest(word string, known []string) string {
	best, least := "", 0
	for _, candidate := range known {
		limit := max(1, min(3, len(candidate)/3))
		distance := editDistance(strings.ToLower(word), strings.ToLower(candidate), limit)
		if distance <= limit && distance < len(candidate) && (best == "" || distance < least) {
			best, least = candidate, distance
		}
	}
	return best
}

// editDistance counts letters to add, remove, change or swap. It gives up above the
// limit.
func editDistance(a, b string, limit int) int {
	for a != "" && b != "" && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	switch {
	case a == "" || b == "":
		return len(a) + len(b)
	case limit == 0:
		return 1
	}
	least := min(editDistance(a[1:], b, limit-1), editDistance(a, b[1:], limit-1), editDistance(a[1:], b[1:], limit-1))
	if len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0] {
		least = min(least, editDistance(a[2:], b[2:], limit-1))
	}
	return 1 + least
}

// shorten keeps what is shown of a file's words within a line.
func shorten(text string) string { return Cut(text, 60) }
