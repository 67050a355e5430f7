package chart

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"text/template"

	"gopkg.in/yaml.v3"
)

// functions are those of Helm that the templates of small charts use.
func functions(all *template.Template) template.FuncMap {
	return template.FuncMap{
		"quote":      func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"upper":      strings.ToUpper,
		"lower":      strings.ToLower,
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"trunc": func(length int, text string) string {
			return text[:min(length, len(text))]
		},
		"replace": func(old, with, text string) string { return strings.ReplaceAll(text, old, with) },
		"default": func(otherwise, value any) any {
			if value == nil || reflect.ValueOf(value).IsZero() {
				return otherwise
			}
			return value
		},
		"toYaml": func(value any) (string, error) {
			raw, err := yaml.Marshal(value)
			return strings.TrimSuffix(string(raw), "\n"), err
		},
		"indent":  indent,
		"nindent": func(spaces int, text string) string { return "\n" + indent(spaces, text) },
		"include": func(name string, data any) (string, error) {
			var out bytes.Buffer
			err := all.ExecuteTemplate(&out, name, data)
			return out.String(), err
		},
	}
}

func indent(spaces int, text string) string {
	margin := strings.Repeat(" ", spaces)
	return margin + strings.ReplaceAll(text, "\n", "\n"+margin)
}
