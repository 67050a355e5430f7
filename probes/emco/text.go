package emco

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// shownBytes bounds what is shown of a text that came over the wire.
const shownBytes = 512

// Shown makes a text that came over the wire fit to be shown in one line:
// runs of white space and control characters become one space, characters
// that steer the direction of text are left out, and what goes beyond 512
// bytes is cut and ends in an ellipsis.
func Shown(text string) string {
	var shown strings.Builder
	space := false
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			space = shown.Len() > 0
			continue
		}
		if unicode.Is(unicode.Cf, r) {
			continue
		}
		if space {
			shown.WriteByte(' ')
			space = false
		}
		if shown.Len()+utf8.RuneLen(r) > shownBytes {
			shown.WriteString("…")
			break
		}
		shown.WriteRune(r)
	}
	return shown.String()
}
