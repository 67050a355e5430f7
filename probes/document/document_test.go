package document_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

func parse(t *testing.T, text string) *document.File {
	t.Helper()
	file := document.Parse("file.yaml", []byte(text))
	if _, read := file.Value(""); !read {
		t.Fatalf("not read: %v", file.Problems())
	}
	return file
}

// asJSON is what stands at the field, as Decode gives it.
func asJSON(t *testing.T, file *document.File, field string) string {
	t.Helper()
	var value json.RawMessage
	file.Decode(field, &value)
	return string(value)
}

func TestValues(t *testing.T) {
	file := parse(t, `
text: a text
number: 0x10
share: 1_0.5
yes: true
date: 2026-01-31
none:
list: [1, two]
"a.b": {c: d}
`)
	for field, want := range map[string]string{
		"text": `"a text"`, "number": `16`, "share": `10.5`, "yes": `true`, "date": `"2026-01-31"`, "none": `null`,
		"list": `[1,"two"]`, `list[1]`: `"two"`, `["a.b"]`: `{"c":"d"}`,
	} {
		if got := asJSON(t, file, field); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
	if got := file.Keys(""); !slices.Equal(got, []string{"text", "number", "share", "yes", "date", "none", "list", "a.b"}) {
		t.Errorf("keys: %q", got)
	}
	if _, found := file.Value("other"); found {
		t.Error("a value is there that is not")
	}
	file.AsWritten(regexp.MustCompile("^(number|share|yes|none)$"))
	for field, want := range map[string]string{"number": `"0x10"`, "share": `"1_0.5"`, "yes": `"true"`, "none": `null`} {
		if got := asJSON(t, file, field); got != want {
			t.Errorf("%s as written: got %s, want %s", field, got, want)
		}
	}
	if problems := file.Problems(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}

func TestMistakesInYAML(t *testing.T) {
	file := parse(t, "big: 18446744073709551615\nnot: .nan\n1: one\ntwice: 1\ntwice: 2\nfine: {a: b}\n")
	want := "file.yaml:1:6: big: 18446744073709551615 is too large; put it in quotes\n" +
		"file.yaml:2:6: not: .nan is not a number that can be used; put it in quotes\n" +
		"file.yaml:3:1: a key here is not text; write a text, in quotes if need be\n" +
		"file.yaml:5:1: twice: is there twice, first in line 4; keep one of them"
	if got := file.Problems().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := asJSON(t, file, "fine"); got != `{"a":"b"}` {
		t.Errorf("what is fine: %s", got)
	}
}

// TestDecode: what is troubled is left out, and the rest is read.
func TestDecode(t *testing.T) {
	file := parse(t, "a: {b: 1, c: 2}\nlist: [x, y]\n")
	file.Wrong("a.b", "is wrong", "mend it")
	file.Wrong("list[0]", "is wrong", "mend it")
	var read struct {
		A    struct{ B, C int }
		List []string
	}
	file.Decode("", &read)
	if read.A.B != 0 || read.A.C != 2 || !slices.Equal(read.List, []string{"", "y"}) {
		t.Errorf("got %+v", read)
	}
	var number int
	file.Decode("list", &number)
	if problems := file.Problems(); len(problems) != 3 || problems[1].Field != "list" {
		t.Errorf("got %v", problems)
	}
}

// TestFromContent: a part of a file is checked elsewhere, and told with its place.
func TestFromContent(t *testing.T) {
	file := parse(t, "a: 1\nb:\n  c: [d, e]\n")
	content, _ := file.Value("b")
	sent := document.FromContent("file.yaml", "b", content, file.Places("b"))
	sent.Wrong("b.c[1]", "is wrong", "mend it")
	sent.Add(document.Problem{Field: "b.c", Message: "is wrong", Remedy: "mend it"})
	want := "file.yaml:3:3: b.c: is wrong; mend it\nfile.yaml:3:10: b.c[1]: is wrong; mend it"
	if got := sent.Problems().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFill(t *testing.T) {
	file := parse(t, `
text: ${word}
inside: a ${word} and ${number}
count: ${number}
quoted: {flow: ["${word}"]}
none: ${missing}
open: ${word
plain: $word
kept: ${word}
${word}: x
`)
	fills := func(field string) bool { return field != "kept" }
	file.Fill(fills, func(field, name string) (any, bool) {
		switch name {
		case "word":
			return "apple", true
		case "number":
			return 3, true
		}
		file.Wrong(field, "not there: "+name, "leave it out")
		return nil, false
	})
	for field, want := range map[string]string{
		"text": `"apple"`, "inside": `"a apple and 3"`, "count": `3`, "quoted": `{"flow":["apple"]}`, "plain": `"$word"`, "kept": `"${word}"`,
	} {
		if got := asJSON(t, file, field); got != want {
			t.Errorf("%s: got %s, want %s", field, got, want)
		}
	}
	// What could not be filled is told once, and not looked at again.
	for _, field := range []string{"none", "open"} {
		file.Wrong(field, "is wrong", "mend it")
		if got := asJSON(t, file, field); got != "null" || !file.Troubled(field) {
			t.Errorf("%s: got %s", field, got)
		}
	}
	want := "file.yaml:6:7: none: not there: missing; leave it out\n" +
		"file.yaml:7:7: open: \"${word\" has a ${ without its }; write ${name}\n" +
		`file.yaml:10:1: ["${word}"]: a parameter stands in a key; use parameters in values alone`
	if got := file.Problems().Error(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLocate(t *testing.T) {
	file := parse(t, "a:\n  b: [x, y]\n")
	for field, want := range map[string]string{
		"a":        "file.yaml:1:1: a: wrong",
		"a.b[1]":   "file.yaml:2:10: a.b[1]: wrong",
		"a.b[7].c": "file.yaml:2:3: a.b[7].c: wrong",
		"z":        "file.yaml:1:1: z: wrong",
	} {
		if got := file.Locate(document.Problem{Field: field, Message: "wrong"}).Error(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	file.Add(document.Problem{Field: "a.b[1]", Message: "wrong"})
	for field, want := range map[string]bool{"": true, "a": true, "a.b": true, "a.b[1]": true, "a.b[0]": false, "a.bc": false, "b": false} {
		if got := file.Troubled(field); got != want {
			t.Errorf("troubled %s: got %v", field, got)
		}
	}
}

// A mistake deep in a long mapping is told in its own line, though yaml.v3
// names the line where the mapping begins.
func TestSyntaxErrorsAreToldWhereTheyAre(t *testing.T) {
	text := "spec:\n" + strings.Repeat("  key: value\n", 40) + " wrong: indentation\n" + strings.Repeat("  key: value\n", 5)
	file := document.Parse("file.yaml", []byte(text))
	if problems := file.Problems(); len(problems) != 1 || problems[0].Line != 42 {
		t.Errorf("got %v", problems)
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	file := document.Parse("file.yaml", []byte(strings.Repeat("# padding\n", document.MaxBytes/10+1)))
	if len(file.Problems()) != 1 {
		t.Errorf("got %v", file.Problems())
	}
}

func TestInstead(t *testing.T) {
	tests := []struct {
		word  string
		known []string
		want  string
	}{
		{"stpes", []string{"steps", "spec"}, "did you mean steps?"},
		{"Steps", []string{"steps"}, "did you mean steps?"},
		{"color", []string{"steps", "after"}, "use one of: after, steps"},
		{"color", []string{"steps"}, "only steps can stand here"},
		{"color", nil, "remove it"},
		{"b", []string{"a", "c"}, "use one of: a, c"},
	}
	for _, test := range tests {
		if got := document.Instead(test.word, test.known); got != test.want {
			t.Errorf("instead of %s out of %v: got %q, want %q", test.word, test.known, got, test.want)
		}
	}
}

func TestProblemsAreToldOnceAndInOrder(t *testing.T) {
	second := document.Problem{File: "f", Line: 2, Column: 1, Message: "second"}
	first := document.Problem{File: "f", Line: 1, Column: 5, Field: "a", Message: "first", Remedy: "mend it"}
	problems := document.Problems{second, first, second}.Sorted()
	if got, want := problems.Error(), "f:1:5: a: first; mend it\nf:2:1: second"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := (document.Problems{}).Err(); err != nil {
		t.Errorf("no problems are an error: %v", err)
	}
}

const orchard = `{
  "type": "object", "additionalProperties": false, "required": ["name", "trees"],
  "dependencies": {"ladder": ["wall"]},
  "properties": {
    "name": {"$ref": "#/definitions/text", "x-missing": "name the orchard"},
    "trees": {
      "type": "object", "minProperties": 1, "x-message": "has no tree", "x-remedy": "plant one",
      "propertyNames": {"pattern": "^[a-z]+$", "x-what": "a tree's name", "x-remedy": "write small letters"},
      "additionalProperties": {"$ref": "#/definitions/tree"}
    },
    "key": {"enum": ["iron", "brass"], "writeOnly": true, "x-what": "a key"},
    "pick": {"x-what": "a time to pick", "anyOf": [{"enum": ["early", "late"]}, {"type": "string", "pattern": "^week [0-9]+$"}]},
    "ladder": true, "wall": {"x-missing": "say which wall"}
  },
  "definitions": {
    "text": {"type": "string"},
    "parameter": {"type": "string", "pattern": "\\$\\{"},
    "tree": {
      "type": "object", "additionalProperties": false, "x-key": "fruit",
      "oneOf": [{"required": ["apple"]}, {"required": ["pear"]}],
      "properties": {
        "apple": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 9}, {"$ref": "#/definitions/parameter"}]},
        "pear": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string", "format": "go-duration", "x-what": "a duration", "x-number": "has no unit"}]}
      }
    }
  }
}`

// TestSchema: each kind of mistake is told with the words of the schema.
func TestSchema(t *testing.T) {
	schema, err := document.ReadSchema([]byte(orchard))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"{name: a, trees: {x: {apple: 3}, y: {pear: 5s}, z: {pear: [b]}}}": "",
		"[a]":                              `1:1: is a list, not a mapping; write keys with values, such as {key: value}`,
		"{}":                               "1:1: name: is missing; name the orchard\n1:1: trees: is missing; write trees: with its value",
		"{name: 3, trees: {}}":             "1:8: name: is a number, not text; put it in quotes\n1:18: trees: has no tree; plant one",
		"{name: , trees: {A: {apple: 1}}}": "1:8: name: is empty, not text; write a text\n1:18: trees.A: \"A\" is not a tree's name; write small letters",
		"{name: a, trees: {x: {aple: 1}}}": `1:23: trees.x.aple: the fruit "aple" is not known; did you mean apple?`,
		"{name: a, trees: {x: {}}}":        `1:22: trees.x: has none of apple, pear; write exactly one of apple, pear`,
		"{name: a, trees: {x: {pear: 1, apple: 1}}}":      "1:29: trees.x.pear: is a number, not a list; write a list such as [a, b]\n1:39: trees.x.apple: stands beside pear; write exactly one of apple, pear",
		"{name: a, trees: {x: {apple: ten}}}":             `1:30: trees.x.apple: is text, not a whole number; write a whole number`,
		"{name: a, trees: {x: {apple: 10}}}":              `1:30: trees.x.apple: 10 is out of range; write a whole number from 1 to 9`,
		"{name: a, trees: {x: {pear: -1s}}}":              `1:29: trees.x.pear: -1s is negative; write a duration`,
		"{name: a, trees: {x: {pear: long}}}":             `1:29: trees.x.pear: "long" is not a duration; write a duration`,
		"{name: a, trees: {x: {pear: [b, 1]}}}":           `1:33: trees.x.pear[1]: is a number, not text; put it in quotes`,
		"{name: a, trees: {x: {apple: 1}}, key: gold}":    `1:40: key: is not a key; use one of: brass, iron`,
		"{name: a, trees: {x: {apple: 1}}, pick: week}":   `1:41: pick: "week" is not a time to pick; use one of: early, late`,
		"{name: a, trees: {x: {apple: 1}}, pick: [late]}": `1:41: pick: is not a time to pick; use one of: early, late`,
		"{name: a, trees: {x: {apple: 1}}, ladder: 3}":    `1:43: ladder: stands without wall; say which wall`,
		"{name: a, trees: {x: {apple: '${a}'}}}":          "",
	} {
		file := document.Parse("x.yaml", []byte(text))
		schema.Check(file, "")
		if got := strings.ReplaceAll(file.Problems().Error(), "x.yaml:", ""); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
	if _, err := document.ReadSchema([]byte(`{"type": 3}`)); err == nil {
		t.Error("a schema that is none was read")
	}
}
