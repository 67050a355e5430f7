package document

import (
	"slices"
	"strings"
)

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
