package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"gopkg.in/yaml.v3"
)

// StreamBytes is the size of the longest stream that is read.
const StreamBytes = 1 << 20

const (
	streamDepth  = 64
	streamValues = 200_000 // aliases followed
	streamLength = 10_000  // documents
)

// Stream reads a file of another tool: any number of documents, with aliases.
// part names the n-th document, from 1, in its problems; each takes it, and
// may add problems. Empty documents count and are left out. The stream ends at
// the first document that is not YAML.
func Stream(name string, data []byte, part func(n int) string, each func(n int, file *File)) Problems {
	if len(data) > StreamBytes {
		return Problems{{File: name, Message: fmt.Sprintf("is larger than %d bytes", StreamBytes), Remedy: "split it"}}
	}
	var problems Problems
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for n := 1; ; n++ {
		file := newFile(name)
		file.part, file.lenient = part(n), true
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
		default:
			values := streamValues
			if resolved := file.resolve(root.Content[0], 0, &values); resolved != nil {
				file.read("", resolved, resolved)
				each(n, file)
				problems = append(problems, file.Problems()...)
				continue
			}
		}
		return append(problems, file.problems...)
	}
}

// resolve replaces aliases by what they stand for, within limits: a small text
// can stand for a very large one. Nil says that it exceeds one.
func (f *File) resolve(node *yaml.Node, depth int, left *int) *yaml.Node {
	*left--
	switch {
	case *left < 0:
		f.add(at(node), "", fmt.Sprintf("holds more than %d values", streamValues), "split it, or use fewer aliases")
		return nil
	case depth > streamDepth:
		f.add(at(node), "", fmt.Sprintf("is nested more than %d deep", streamDepth), "flatten it")
		return nil
	case node.Kind == yaml.AliasNode:
		return f.resolve(node.Alias, depth+1, left)
	}
	resolved := *node
	resolved.Content = make([]*yaml.Node, len(node.Content))
	for i, child := range node.Content {
		if resolved.Content[i] = f.resolve(child, depth+1, left); resolved.Content[i] == nil {
			return nil
		}
	}
	return &resolved
}
