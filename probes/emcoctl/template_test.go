package emcoctl

import (
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// FuzzTemplate: a template ends, within the limits, and what is wrong with
// it is a problem that names the file.
func FuzzTemplate(f *testing.F) {
	f.Add("anchor: projects/{{ .Project }}\n", "Project: p\n")
	f.Add(`{{ range $i, $x := .L }}{{ printf "%s" $x }}{{ break }}{{ end }}`, "L: [a, b]\n")
	f.Add(`{{ with .A }}{{ template "x" . }}{{ end }}{{ define "x" }}{{ . }}{{ end }}`, "A: {b: c}\n")
	f.Fuzz(func(t *testing.T, text, values string) {
		filled := map[string]any{}
		parseOne("v.yaml", []byte(values), "", func(_ *document.File, fields map[string]any) { filled = fields })
		out, problems := render("r.yaml", []byte(text), filled)
		if len(out) > document.StreamBytes {
			t.Errorf("%d bytes", len(out))
		}
		if len(problems) > 0 && (!strings.HasPrefix(problems.Error(), "r.yaml:") || problems[0].Remedy == "") {
			t.Errorf("%q", problems.Error())
		}
	})
}

// TestRenderIsUnchanged: metering leaves no trace in the text.
func TestRenderIsUnchanged(t *testing.T) {
	for text, want := range map[string]string{
		"{{- range .L }}\n- {{ . }}\n{{- else }}none{{ end }}":                                "\n- a\n- b",
		"{{ range .None }}x{{ else }}none{{ end }}":                                           "none",
		"{{ range 3 }}{{ . }}{{ end }}":                                                       "012",
		`{{ define "x" }}<{{ . }}>{{ end }}{{ template "x" 1 }}`:                              "<1>",
		`{{ if .L }}{{ range $i, $x := .L }}{{ if $i }}, {{ end }}{{ $x }}{{ end }}{{ end }}`: "a, b",
		`{{ printf "%03d|%s|%v" 7 "x" .L }}{{ print 1 2 }}{{ html "<" }}`:                     "007|x|[a b]1 2&lt;",
	} {
		out, problems := render("r.yaml", []byte(text), map[string]any{"L": []any{"a", "b"}, "None": []any{}})
		if len(problems) > 0 || string(out) != want {
			t.Errorf("%s: got %q, %v, want %q", text, out, problems, want)
		}
	}
}
