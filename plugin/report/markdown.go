package report

import (
	"regexp"
	"strings"
)

var (
	special  = regexp.MustCompile("[\\\\`*_\\[\\]|#!]")
	entities = strings.NewReplacer("<", "&lt;", ">", "&gt;", "&", "&amp;")
)

// escape makes text mean itself in Markdown, and in the HTML that it becomes.
func escape(text string) string {
	return entities.Replace(special.ReplaceAllString(clean(text), `\$0`))
}
