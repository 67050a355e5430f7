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

// editDistance counts letters to add, remove, change or swap. It gives up at the
// limit.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// shorten keeps what is shown of a file's words within a line.
func shorten(text string) string { return Cut(text, 60) }
