// Package document reads YAML files that people write, strictly: each value
// knows its line, its column and the path to it, whatever is not understood
// is a problem, and all problems of a file are reported at once.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Limits of a file. What people write by hand is far smaller.
const (
	MaxBytes = 256 << 10
	maxDepth = 32
)

// File is a file that was read: its values, their places, its problems so far.
type File struct {
	name     string
	part     string // names the document in its problems, when the file has several
	lenient  bool   // allows aliases, tags and numbers of any size
	problems Problems
	entries  map[string]*entry // by field
	troubled map[string]bool   // the fields that have a problem
}

// TooLarge reports whether a file of one document has more than [MaxBytes].
func TooLarge(name string, data []byte) (problem Problem, large bool) {
	return Problem{
		File: name, Line: 1, Column: 1,
		Message: fmt.Sprintf("the file has %d bytes, and %d are read at most", len(data), MaxBytes), Remedy: "split it",
	}, len(data) > MaxBytes
}

// Parse reads a file of one YAML document. A file without a value could not be
// read, and its problems say why. Anchors, aliases, merge keys and tags are
// problems: they make a file hard to read and a small file large.
func Parse(name string, data []byte) *File {
	file := newFile(name)
	if problem, large := TooLarge(name, data); large {
		file.problems = append(file.problems, problem)
		return file
	}
	if !file.readable(data) {
		return file
	}
	documents, err := documentsIn(data)
	switch {
	case err != nil:
		file.syntax(data, err)
	case len(documents) == 0 || len(documents[0].Content) != 1:
		file.add(Position{1, 1}, "", "the file is empty", "write a document with apiVersion, kind, metadata and spec")
	case len(documents) > 1:
		file.add(at(documents[1]), "", "a second document begins here", "keep one document a file")
	case file.plain(documents[0].Content[0], 0):
		file.read("", documents[0].Content[0], documents[0].Content[0])
	}
	return file
}

// documentsIn reads YAML documents up to the first error.
func documentsIn(data []byte) (documents []*yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		document := &yaml.Node{}
		switch err := decoder.Decode(document); {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return documents, err
		}
		documents = append(documents, document)
	}
}

func newFile(name string) *File {
	return &File{name: name, entries: map[string]*entry{}, troubled: map[string]bool{}}
}

func (f *File) Name() string { return f.name }

// Problems returns all problems so far, in the order of the file.
func (f *File) Problems() Problems { return f.problems.Sorted() }

// Locate gives the problem the place of its field's key, or of the nearest around it.
func (f *File) Locate(problem Problem) Problem {
	at := f.near(problem.Field).Key
	problem.File, problem.Part, problem.Line, problem.Column = f.name, f.part, at.Line, at.Column
	return problem
}

// Add adds a problem; see Locate for its place.
func (f *File) Add(problem Problem) {
	f.add(f.near(problem.Field).Key, problem.Field, problem.Message, problem.Remedy)
}

// Wrong adds a problem with the field's value, unless a parameter in it has none.
func (f *File) Wrong(field, message, remedy string) {
	if at := f.near(field); !at.unset {
		f.add(at.Value, field, message, remedy)
	}
}

// near returns the entry of the field, or of the nearest one around it.
func (f *File) near(field string) *entry {
	found, here := f.entries[field]
	switch {
	case here:
		return found
	case field == "":
		return &entry{Place: Place{Key: Position{1, 1}, Value: Position{1, 1}}}
	}
	return f.near(parent(field))
}

// Troubled reports whether the field, or one below it, has a problem.
func (f *File) Troubled(field string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(f.troubled)), func(troubled string) bool { return isBelow(troubled, field) })
}

// isBelow reports whether a field is the other one or below it.
func isBelow(field, other string) bool {
	rest, is := strings.CutPrefix(field, other)
	return is && (rest == "" || other == "" || rest[0] == '.' || rest[0] == '[')
}

func (f *File) add(at Position, field, message, remedy string) {
	f.troubled[field] = true
	f.problems = append(f.problems, Problem{
		File: f.name, Line: at.Line, Column: at.Column, Part: f.part, Field: field, Message: message, Remedy: remedy,
	})
}

// readable reports bytes that YAML cannot have: yaml.v3 does not say where.
func (f *File) readable(data []byte) bool {
	line, column := 1, 1
	for i := 0; i < len(data); {
		char, size := utf8.DecodeRune(data[i:])
		switch {
		case char == utf8.RuneError && size == 1:
			f.add(Position{line, column}, "", "the file is not UTF-8 text", "save it as UTF-8")
			return false
		case char == '\n':
			line, column = line+1, 0
		case char < 0x20 && char != '\t' && char != '\r',
			char >= 0x7f && char < 0xa0 && char != 0x85,
			char == 0xfeff && i > 0, char == 0xfffe, char == 0xffff:
			f.add(Position{line, column}, "", fmt.Sprintf("the control character %U cannot stand here", char), "remove it")
			return false
		}
		i += size
		column++
	}
	return true
}

var syntaxLine = regexp.MustCompile(`^yaml: (line \d+: )?`)

// syntax makes a problem of an error of yaml.v3, which often names the line where the
// mapping around the mistake begins. The mistake is in the last line of the shortest
// beginning of the file that has the same error.
func (f *File) syntax(data []byte, err error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	short := sort.Search(len(lines), func(i int) bool {
		_, same := documentsIn(bytes.Join(lines[:i+1], nil))
		return same != nil && same.Error() == err.Error()
	})
	line := min(short+1, len(lines))
	for _, near := range []int{line, line + 1, line - 1} {
		if near < 1 || near > len(lines) {
			continue
		}
		text := lines[near-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		if tab := bytes.IndexByte(indent, '\t'); tab >= 0 {
			f.add(Position{near, tab + 1}, "", "a tab stands in the indentation", "indent with spaces")
			return
		}
	}
	remedy := "look at this line and the one before it"
	if bytes.Contains(lines[line-1], []byte("${")) {
		remedy = "a ${name} between { } or [ ] stands in quotes"
	}
	f.add(Position{line, 1}, "", "this is not YAML: "+syntaxLine.ReplaceAllString(err.Error(), ""), remedy)
}

// plain refuses what a file for people does not need.
func (f *File) plain(node *yaml.Node, depth int) bool {
	before := len(f.problems)
	switch {
	case depth > maxDepth:
		f.add(at(node), "", fmt.Sprintf("values are nested more than %d deep", maxDepth), "make it flatter")
		return false
	case node.Kind == yaml.AliasNode:
		f.add(at(node), "", fmt.Sprintf("the alias *%s is not read", shorten(node.Value)), "write the value out")
	case node.Anchor != "":
		f.add(at(node), "", fmt.Sprintf("the anchor &%s is not read", shorten(node.Anchor)), "write the value out where it is needed")
	case node.Style&yaml.TaggedStyle != 0:
		f.add(at(node), "", fmt.Sprintf("the tag %s is not read", shorten(node.Tag)), "leave the tag out")
	}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Tag == "!!merge" {
			f.add(at(child), "", "the merge key << is not read", "write the values out")
		} else {
			f.plain(child, depth+1)
		}
	}
	return len(f.problems) == before
}

func parent(field string) string {
	separator := byte('.')
	if strings.HasSuffix(field, "]") && strings.Contains(field, "[") {
		separator = '['
	}
	return field[:max(0, strings.LastIndexByte(field, separator))]
}
