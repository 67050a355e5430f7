package document

import (
	"fmt"
	"regexp"
	"strings"
)

var placeholder = regexp.MustCompile(`\$\{([^}]*)\}`)

// Fill replaces each ${NAME} in the texts whose fields are to be filled by what
// lookup answers. A text of one ${NAME} alone becomes the answer itself, of whatever
// type. Lookup reports a name without a value by itself.
func (f *File) Fill(fills func(field string) bool, lookup func(field, name string) (value any, ok bool)) {
	for field, entry := range f.entries {
		fields, _ := entry.content.(map[string]any)
		for key := range fields {
			if below := Join(field, key); strings.Contains(key, "${") && fills(below) {
				f.Add(Problem{Field: below, Message: "a parameter stands in a key", Remedy: "use parameters in values alone"})
			}
		}
	}
	f.rewrite(func(field string, value any) any {
		text, isText := value.(string)
		if !isText || !strings.Contains(text, "${") || !fills(field) {
			return value
		}
		complete := !strings.Contains(placeholder.ReplaceAllString(text, ""), "${")
		if !complete {
			f.Wrong(field, fmt.Sprintf("%q has a ${ without its }", shorten(text)), "write ${name}")
		}
		filled := placeholder.ReplaceAllStringFunc(text, func(match string) string {
			answer, ok := lookup(field, match[2:len(match)-1])
			complete = complete && ok
			if match == text {
				value = answer
			}
			return fmt.Sprint(answer)
		})
		if !complete {
			f.entries[field].unset, f.troubled[field] = true, true
			return text
		}
		if placeholder.FindString(text) != text {
			return filled
		}
		return value
	})
}
