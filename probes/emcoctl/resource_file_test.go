package emcoctl_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

// files writes files into a folder of the test's own.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range contents {
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

const two = `# what emcoctl's own examples look like
---
version: emco/v2
resourceContext:
  anchor: projects
metadata :
  name: {{ .Project }}
  description: a test
  userData1: one
---
version: emco/v2
resourceContext:
  anchor: projects/{{ .Project }}/composite-apps
metadata:
  name: 123
spec:
  compositeAppVersion: v1
  big: 12345678901234567890
  when: 2020-01-02
  on: yes
---
version: emco/v2
resourceContext:
  anchor: projects/{{ .Project }}/composite-apps/123/v1/apps
metadata:
  name: app
file: {{ .Chart }}
---
version: emco/v2
resourceContext:
  anchor: cluster-providers/p/clusters/c/labels
clusterLabel: edge
---
version: emco/v2
resourceContext:
  anchor: projects/{{ .Project }}/logical-clouds/lc/instantiate
`

func TestRead(t *testing.T) {
	folder := files(t, map[string]string{"two.yaml": two, "values.yaml": "Project: p1\nChart: app.tgz\n", "app.tgz": "chart"})
	resources, err := emcoctl.Read(emcoctl.Sources{
		Files: []string{filepath.Join(folder, "two.yaml")}, Values: []string{filepath.Join(folder, "values.yaml")},
	})
	if err != nil {
		t.Fatal(err)
	}
	type seen struct{ Anchor, Own, Call, JSON, File string }
	want := []seen{
		{"projects", "projects/p1", "", `{"metadata":{"name":"p1","description":"a test","userData1":"one"}}`, ""},
		{
			"projects/p1/composite-apps", "projects/p1/composite-apps/123/v1", "",
			`{"metadata":{"name":"123"},"spec":{"big":12345678901234567890,"compositeAppVersion":"v1","on":"yes","when":"2020-01-02"}}`, "",
		},
		{"projects/p1/composite-apps/123/v1/apps", "projects/p1/composite-apps/123/v1/apps/app", "", `{"metadata":{"name":"app"}}`, "app.tgz chart"},
		{"cluster-providers/p/clusters/c/labels", "cluster-providers/p/clusters/c/labels/edge", "", `{"clusterLabel":"edge"}`, ""},
		{"projects/p1/logical-clouds/lc/instantiate", "", "instantiate", "", ""},
	}
	if len(resources) != len(want) {
		t.Fatalf("%d resources, want %d", len(resources), len(want))
	}
	for i, resource := range resources {
		request := resource.Post()
		got := seen{Anchor: request.Anchor, Own: resource.Own(), Call: resource.Call()}
		if request.JSON != nil {
			text, err := json.Marshal(request.JSON)
			if err != nil {
				t.Fatal(err)
			}
			got.JSON = string(text)
		}
		if request.File != nil {
			got.File = request.File.Name + " " + string(request.File.Content)
		}
		if got != want[i] {
			t.Errorf("resource %d:\n got %+v\nwant %+v", i, got, want[i])
		}
	}
	if resources[1].Line != 11 {
		t.Errorf("the second resource stands at line %d, want 11", resources[1].Line)
	}
}

func TestSeveralFiles(t *testing.T) {
	folder := files(t, map[string]string{
		"r.yaml":      "version: emco/v2\nresourceContext: {anchor: projects/p/x/r}\nmetadata: {name: n}\nfiles: [a.yaml, sub/b.yaml]\n",
		"a.yaml":      "a",
		"sub/b.yaml":  "b",
		"other.yaml":  "x: 1\n",
		"second.yaml": "x: 2\n",
		"v.yaml":      "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: \"n{{.x}}\"}\n",
	})
	resources, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "r.yaml")}, Root: folder})
	if err != nil {
		t.Fatal(err)
	}
	attached := resources[0].Post().Files
	if len(attached) != 2 || attached[0].Name != "a.yaml" || attached[1].Name != "b.yaml" || string(attached[1].Content) != "b" {
		t.Errorf("got %+v", attached)
	}
	resources, err = emcoctl.Read(emcoctl.Sources{
		Files:  []string{filepath.Join(folder, "v.yaml")},
		Values: []string{filepath.Join(folder, "other.yaml"), filepath.Join(folder, "second.yaml")},
	})
	if err != nil || resources[0].Name() != "n2" {
		t.Errorf("got %+v, %v: the last values file goes before the others", resources, err)
	}
}

func TestReadProblems(t *testing.T) {
	const head = "version: emco/v2\nresourceContext:\n  anchor: projects\n"
	for name, test := range map[string]struct{ text, values, want string }{
		"not YAML":             {text: "a: [\n", want: "r.yaml:"},
		"a template unfilled":  {text: "version: {{ .V }}: x\n", want: "name its values file with -v"},
		"no mapping":           {text: "- a\n", want: "r.yaml:1:1: document 1: is a list, not a mapping; write version"},
		"nothing":              {text: "# nothing\n", want: "r.yaml: holds no resource; write documents"},
		"no version":           {text: "resourceContext: {anchor: projects}\nmetadata: {name: p}\n", want: "r.yaml:1:1: document 1: version: is missing; write version: emco/v2"},
		"another version":      {text: "version: emco/v1\nresourceContext: {anchor: projects}\nmetadata: {name: p}\n", want: `r.yaml:1:10: document 1: version: "emco/v1" is not known; write version: emco/v2`},
		"no anchor":            {text: "version: emco/v2\nmetadata: {name: p}\n", want: "r.yaml:1:1: document 1: resourceContext: is missing; write resourceContext: {anchor: PATH}"},
		"no name":              {text: head, want: "r.yaml:1:1: document 1: metadata.name is missing; write metadata: {name: NAME}; only anchors that end in instantiate"},
		"capital Metadata":     {text: head + "Metadata: {name: p}\n", want: "r.yaml:4:1: document 1: Metadata: the key \"Metadata\" is not known; did you mean metadata?"},
		"unknown key":          {text: head + "metadata: {name: p}\nspce: {}\n", want: "r.yaml:5:1: document 1: spce: the key \"spce\" is not known; did you mean spec?"},
		"unknown in metadata":  {text: head + "metadata: {name: p, label: l}\n", want: "r.yaml:4:21: document 1: metadata.label: the key \"label\" is not known"},
		"twice":                {text: head + "metadata: {name: p, name: q}\n", want: "r.yaml:4:21: document 1: metadata.name: is there twice, first in line 4; keep one"},
		"the second document":  {text: head + "metadata: {name: p}\n---\n" + head + "metadata: []\n", want: "r.yaml:9:11: document 2: metadata: is a list, not a mapping"},
		"a path upwards":       {text: "version: emco/v2\nresourceContext:\n  anchor: projects/../controllers\nmetadata: {name: p}\n", want: `r.yaml:3:11: document 1: resourceContext.anchor: "projects/../controllers" has a piece that leads elsewhere`},
		"a URL":                {text: "version: emco/v2\nresourceContext:\n  anchor: http://elsewhere/v2/projects\nmetadata: {name: p}\n", want: "resourceContext.anchor: "},
		"a query":              {text: "version: emco/v2\nresourceContext:\n  anchor: projects?x=1\nmetadata: {name: p}\n", want: "cannot stand in a path of EMCO's"},
		"another root":         {text: "version: emco/v2\nresourceContext:\n  anchor: secrets\nmetadata: {name: p}\n", want: "EMCO's paths begin with one of projects"},
		"a name upwards":       {text: head + "metadata: {name: ../controllers}\n", want: `r.yaml:1:1: document 1: the name "../controllers" cannot stand in a path`},
		"file and files":       {text: head + "metadata: {name: p}\nfile: a\nfiles: [b]\n", want: "r.yaml:6:8: document 1: files: stands beside file; keep one of the two"},
		"no such file":         {text: head + "metadata: {name: p}\nfile: none.tgz\n", want: "r.yaml:5:7: document 1: file: cannot be read: "},
		"label and name":       {text: head + "metadata: {name: p}\nclusterLabel: l\n", want: "r.yaml:5:15: document 1: clusterLabel: stands beside metadata.name"},
		"infinity":             {text: head + "metadata: {name: p}\nspec: {a: [1, .inf]}\n", want: "r.yaml:5:15: document 1: spec.a[1]: .inf is not a number that can be used; put it in quotes"},
		"a tag":                {text: head + "metadata: {name: p}\nspec: {a: !!binary aGk=}\n", want: "r.yaml:5:11: document 1: spec.a: has the tag"},
		"a merge":              {text: head + "metadata: {name: p}\nspec: {<<: {a: 1}}\n", want: "r.yaml:5:8: document 1: spec: a key here is not text"},
		"a value not there":    {text: head + "metadata:\n  name: {{ .Project }}\n", values: "Other: x\n", want: "r.yaml:5:12: .Project: the values have no Project; write Project: VALUE into the values file"},
		"a template broken":    {text: head + "metadata:\n  name: {{ .Project \n", values: "Project: x\n", want: "r.yaml:5: the template: unclosed action"},
		"a rendered mistake":   {text: head + "metadata:\n  name: p\n  label: {{ .Project }}\n", values: "Project: x\n", want: "r.yaml:6:3: document 1 of the rendered text: metadata.label: the key \"label\" is not known"},
		"values are no YAML":   {text: head, values: "a: [\n", want: "values.yaml:"},
		"values are a list":    {text: head, values: "- a\n", want: "values.yaml:1:1: document 1: is not a mapping; write NAME: VALUE"},
		"deep":                 {text: head + "metadata: {name: p}\nspec: {a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}\n", want: "is nested more than 64 deep"},
		"large":                {text: head + "#" + strings.Repeat("x", 1<<20) + "\n", want: "is larger than 1048576 bytes"},
		"aliases upon aliases": {text: laughs(), want: "holds more than 200000 values; split it, or use fewer aliases"},
		"an alias of itself":   {text: "a: &a [*a]\n", want: "r.yaml:"},
	} {
		t.Run(name, func(t *testing.T) {
			contents := map[string]string{"r.yaml": test.text}
			sources := emcoctl.Sources{}
			if test.values != "" {
				contents["values.yaml"] = test.values
			}
			folder := files(t, contents)
			sources.Files = []string{filepath.Join(folder, "r.yaml")}
			if test.values != "" {
				sources.Values = []string{filepath.Join(folder, "values.yaml")}
			}
			_, err := emcoctl.Read(sources)
			var problems document.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			text := strings.ReplaceAll(err.Error(), folder+string(filepath.Separator), "")
			if !strings.Contains(text, test.want) {
				t.Errorf("\n got %s\nwant %s", text, test.want)
			}
			if !strings.Contains(text, ";") {
				t.Errorf("no remedy in %s", text)
			}
		})
	}
}

// laughs is a small text that stands for a very large one.
func laughs() string {
	var text strings.Builder
	text.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		prior := "*a" + string(rune('0'+i-1))
		text.WriteString("a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.TrimSuffix(strings.Repeat(prior+", ", 10), ", ") + "]\n")
	}
	return text.String()
}

func TestTemplateBombs(t *testing.T) {
	for name, text := range map[string]string{
		"a loop that prints":        `{{ range 2000000000 }}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{ end }}`,
		"a loop that prints naught": `{{ range 2000000000 }}{{ end }}`,
		"a loop in a loop":          `{{ range 100000 }}{{ range 100000 }}{{ if false }}{{ end }}{{ end }}{{ end }}`,
		"a loop in an else":         `{{ if false }}{{ else }}{{ range 2000000000 }}{{ end }}{{ end }}`,
		"a template of itself":      `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
		"templates that double": `{{ define "a" }}{{ template "b" }}{{ template "b" }}{{ end }}{{ define "b" }}{{ template "c" }}{{ template "c" }}{{ end }}` +
			`{{ define "c" }}{{ range 1000000 }}{{ end }}{{ end }}{{ template "a" }}`,
		"a text that doubles": `{{ $x := "xxxxxxxx" }}{{ range 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}`,
		"a text that prints":  `{{ $x := "xxxxxxxx" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}`,
		"much text, unseen":   `{{ $x := "" }}{{ range 10 }}{{ $x = print $x "` + strings.Repeat("x", 6000) + `" }}{{ end }}{{ range 90000 }}{{ $y := print $x }}{{ end }}`,
		"a long body":         `{{ range 90000 }}` + strings.Repeat(`{{ $x := 1 }}`, 50000) + `{{ end }}`,
		"a width":             `{{ printf "%999999d" 1 }}`,
		"a width by argument": `{{ printf "%*d" 999999 1 }}`,
		"work taken back":     `{{ range 2000000000 }}{{ spend -64 }}{{ end }}`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := files(t, map[string]string{"r.yaml": text, "v.yaml": "A: 1\n"})
			began := time.Now()
			_, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "r.yaml")}, Values: []string{filepath.Join(folder, "v.yaml")}})
			if err == nil || !strings.Contains(err.Error(), "the template") {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

func TestRoot(t *testing.T) {
	outside := files(t, map[string]string{"secret": "s"})
	resource := func(name string) string {
		return "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: p}\nfile: " + name + "\n"
	}
	folder := files(t, map[string]string{
		"absolute.yaml": resource(filepath.Join(outside, "secret")),
		"upwards.yaml":  resource("../" + filepath.Base(outside) + "/secret"),
		"link.yaml":     resource("link"),
		"device.yaml":   resource("/dev/zero"),
	})
	if err := os.Symlink(filepath.Join(outside, "secret"), filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"absolute.yaml", "upwards.yaml", "link.yaml"} {
		if _, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, name)}, Root: folder}); err == nil {
			t.Errorf("%s was read across the root", name)
		}
	}
	if _, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "link.yaml")}}); err != nil {
		t.Errorf("without a root: %v", err)
	}
	if _, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "device.yaml")}}); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a device: %v", err)
	}
}
