package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"gopkg.in/yaml.v3"
)

// StreamBytes is the size of the longest stream that is read.
const StreamBytes = 1 << 20

const (
	streamDepth  = 64
	streamValues = 200_000 // of one document, aliases followed
	streamLength = 10_000  // documents
)

// Stream reads a file of another tool: any number of documents, with aliases.
// Problems name the document by its number, from 1, and of what it is one; each takes it, and
// may add problems. Empty documents count and are left out. The stream ends at
// the first document that is not YAML.
func Stream(name string, data []byte, of string, each func(n int, file *File)) Problems {
	if len(data) > StreamBytes {
		return Problems{{File: name, Message: fmt.Sprintf("is larger than %d bytes", StreamBytes), Remedy: "split it"}}
	}
	var problems Problems
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		file := newFile(name)
		file.part, file.lenient = fmt.Sprintf("document %d%s", n, of), true
		var root yaml.Node
		err := decoder.Decode(&root)
		switch {
		case errors.Is(err, io.EOF):
			return problems
		case n > streamLength:
			file.add(Position{1, 1}, "", fmt.Sprintf("has more than %d documents", streamLength), "split the file")
		case err != nil:
			file.syntax(data, err)
		case root.Kind != yaml.DocumentNode || len(root.Content) != 1 || root.Content[0].Tag == "!!null":
			continue
		case file.bounded(root.Content[0], 0, new(int)):
			file.read("", root.Content[0], root.Content[0])
			each(n, file)
			problems = append(problems, file.Problems()...)
			continue
		}
		return append(problems, file.problems...)
	}
}

// bounded refuses what is too much: with aliases a small text can stand for a very large one.
func (f *File) bounded(node *yaml.Node, depth int, values *int) bool {
	*values++
	children := node.Content
	switch {
	case *values > streamValues:
		f.add(at(node), "", fmt.Sprintf("holds more than %d values", streamValues), "split it, or use fewer aliases")
		return false
	case depth > streamDepth:
		f.add(at(node), "", fmt.Sprintf("is nested more than %d deep", streamDepth), "flatten it")
		return false
	case node.Kind == yaml.AliasNode:
		children = []*yaml.Node{node.Alias}
	}
	return !slices.ContainsFunc(children, func(child *yaml.Node) bool { return !f.bounded(child, depth+1, values) })
}
