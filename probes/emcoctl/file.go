package emcoctl

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"gopkg.in/yaml.v3"
)

var errOutside = errors.New("lies outside of")

// files reads files of the user's.
type files struct {
	// root is the folder that no file may lie outside of; empty for any.
	root string
}

// read reads a whole file, up to a limit.
func (f files) read(name string, limit int64) ([]byte, error) {
	open := func() (*os.File, error) { return os.Open(name) }
	if f.root != "" {
		relative, err := f.inside(name)
		if err != nil {
			return nil, err
		}
		root, err := os.OpenRoot(f.root)
		if err != nil {
			return nil, err
		}
		defer root.Close()
		open = func() (*os.File, error) { return root.Open(relative) }
	}
	file, err := open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// A device or a pipe may never end.
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !about.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, limit)
	}
	return content, nil
}

// inside is the path of a file below the root.
func (f files) inside(name string) (string, error) {
	root, err := filepath.Abs(f.root)
	if err != nil {
		return "", err
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	relative, err := filepath.Rel(root, absolute)
	if err != nil || !filepath.IsLocal(relative) {
		return "", fmt.Errorf("%s %w %s", name, errOutside, f.root)
	}
	return relative, nil
}

// yamlLine is where yaml.v3 says that a mistake is.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// documents reads the YAML documents of a text and gives each to do. Empty
// ones are left out, but counted. It ends at the first that is no YAML.
func (s *source) documents(text []byte, do func(value)) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for s.document = 1; ; s.document++ {
		if s.document > maxDocuments {
			s.add(0, 0, "", fmt.Sprintf("has more than %d documents", maxDocuments), "split the file")
			return
		}
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			s.document = 0
			return
		}
		if err != nil {
			s.syntax(text, err)
			return
		}
		if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
			continue
		}
		if !s.resolve(root.Content[0]) {
			return
		}
		if v := (value{s, root.Content[0], ""}); !v.empty() {
			do(v)
		}
	}
}

func (s *source) syntax(text []byte, err error) {
	words, line := err.Error(), 0
	if found := yamlLine.FindStringSubmatch(words); found != nil {
		line, _ = strconv.Atoi(found[1])
		words = words[len(found[0]):]
	}
	remedy := "mend the YAML; a text with a colon or a brace in it needs quotes"
	if !s.rendered && bytes.Contains(text, []byte("{{")) {
		remedy = "the file has a template's {{ in it: name its values file with -v"
	}
	s.add(line, 0, "", "is no YAML: "+emco.Shown(words), remedy)
}
