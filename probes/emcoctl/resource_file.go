package emcoctl

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Sources are the files that resources are read from.
type Sources struct {
	// Files are resource files, in the order of their being applied.
	Files []string
	// Values are values files. If there is one the resource files are
	// templates; else they are taken as they are, as by emcoctl.
	Values []string
	// WithoutAttachments leaves the files that resources name unread, for a delete.
	WithoutAttachments bool
	// Root, if not empty, is a folder that no file may lie outside of.
	Root string
}

const (
	// attachmentBytes is the most that a database of EMCO's takes.
	attachmentBytes = 16 << 20
	allBytes        = 128 << 20
)

//go:embed resource.schema.json
var resourceSchemaText []byte

var resourceSchema = document.Embedded(resourceSchemaText)

// Read reads resource files. Mistakes in them are [document.Problems].
//
// The name of a file that a resource names counts from the working
// directory, as with emcoctl; what is not there is looked for from the folder
// of the resource file.
func Read(sources Sources) ([]Resource, error) {
	if len(sources.Files) == 0 {
		return nil, errors.New("no resource file is named")
	}
	r := &reader{Sources: sources, content: map[string][]byte{}}
	values, problems := r.values()
	if len(problems) > 0 {
		return nil, problems
	}
	rendered := len(sources.Values) > 0
	for _, name := range sources.Files {
		text, wrong := r.document(name, "name a resource file that can be")
		if len(wrong) == 0 && rendered {
			text, wrong = render(name, text, values)
		}
		if len(wrong) == 0 {
			wrong = r.stream(name, text, rendered)
		}
		problems = append(problems, wrong...)
	}
	return r.resources, problems.Err()
}

// reader reads resources.
type reader struct {
	Sources
	content   map[string][]byte // of attachments, by path: many resources name the same profile
	size      int
	resources []Resource
}

// stream reads the resources in a text. Rendered says that it is what a
// template gave, and that lines are not those of the file.
func (r *reader) stream(name string, text []byte, rendered bool) document.Problems {
	of := ""
	if rendered {
		of = " of the rendered text"
	}
	before := len(r.resources)
	problems := document.Stream(name, text, of, r.resource)
	switch {
	case len(problems) == 0 && len(r.resources) == before:
		problems = append(problems, document.Problem{File: name, Message: "holds no resource", Remedy: "write documents with version, resourceContext, metadata and spec"})
	case len(problems) > 0 && !rendered && strings.Contains(string(text), "{{"):
		// Braces that are not filled in are seldom YAML.
		last := &problems[len(problems)-1]
		last.Remedy = "the file has a template's {{ in it: name its values file with -v"
	}
	return problems
}

func (r *reader) resource(n int, file *document.File) {
	resourceSchema().Check(file, "")
	if len(file.Problems()) > 0 {
		return
	}
	resource := Resource{
		File: file.Name(), Document: n, Line: file.At("").Line,
		Anchor: file.Text("resourceContext.anchor"), ClusterLabel: file.Text("clusterLabel"),
	}
	if len(file.Keys("metadata")) > 0 {
		resource.Metadata = &Metadata{
			Name: file.Text("metadata.name"), Description: file.Text("metadata.description"),
			UserData1: file.Text("metadata.userData1"), UserData2: file.Text("metadata.userData2"),
		}
	}
	spec, _ := file.Value("spec")
	resource.Spec, _ = spec.(map[string]any)
	_, list := file.Value("files")
	switch err := emco.CheckAnchor(resource.Anchor); {
	case err != nil:
		wrong, _ := errors.AsType[document.Problem](err)
		file.Wrong("resourceContext.anchor", wrong.Message, wrong.Remedy)
	case resource.ClusterLabel != "" && resource.Metadata != nil && resource.Metadata.Name != "":
		file.Wrong("clusterLabel", "stands beside metadata.name", "keep one: a label has no other name")
	case resource.Name() == "" && resource.Call() == "":
		file.Wrong("", "metadata.name is missing", "write metadata: {name: NAME}; only anchors that end in "+strings.Join(calls, ", ")+" go without")
	case list && file.Text("file") != "":
		file.Wrong("files", "stands beside file", "keep one of the two")
	case resource.Own() != "" && emco.CheckAnchor(resource.Own()) != nil:
		file.Wrong("", fmt.Sprintf("the name %q cannot stand in a path of EMCO's", document.Shown(resource.Name())),
			"use letters, digits, hyphens, underscores and dots")
	default:
		r.attach(file, &resource)
	}
	if len(file.Problems()) == 0 {
		r.resources = append(r.resources, resource)
	}
}

// attach reads the files that the resource names.
func (r *reader) attach(file *document.File, resource *Resource) {
	if file.Text("file") != "" {
		attached := r.attachment(file, "file")
		resource.Attachment = &attached
	}
	named, _ := file.Value("files")
	list, _ := named.([]any)
	for i := range list {
		resource.Attachments = append(resource.Attachments, r.attachment(file, fmt.Sprintf("files[%d]", i)))
	}
}

// attachment reads the file that the field names. EMCO is told its base name.
func (r *reader) attachment(file *document.File, field string) emco.File {
	name := strings.TrimSpace(file.Text(field))
	attached := emco.File{Name: path.Base(filepath.ToSlash(name))}
	if r.WithoutAttachments {
		return attached
	}
	places := []string{name}
	if !filepath.IsAbs(name) {
		places = append(places, filepath.Join(filepath.Dir(file.Name()), name))
	}
	var err error
	if attached.Content, err = r.first(places); err != nil {
		file.Wrong(field, document.Shown("cannot be read: "+err.Error()), "name a file that is there, from the working directory or from the folder of this file")
	}
	return attached
}

// first reads the first of the places where there is a file.
func (r *reader) first(places []string) ([]byte, error) {
	var missing error
	for _, place := range places {
		if content, again := r.content[place]; again {
			return content, nil
		}
		content, err := r.read(place, attachmentBytes)
		if errors.Is(err, fs.ErrNotExist) {
			missing = errors.Join(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.size += len(content); r.size > allBytes {
			return nil, fmt.Errorf("the files hold more than %d bytes in all", allBytes)
		}
		r.content[place] = content
		return content, nil
	}
	return nil, missing
}

func (r *reader) open(name string) (*os.File, error) {
	if r.Root == "" {
		return os.Open(name)
	}
	folder, err := filepath.Abs(r.Root)
	absolute, err2 := filepath.Abs(name)
	if err := errors.Join(err, err2); err != nil {
		return nil, err
	}
	relative, err := filepath.Rel(folder, absolute)
	if err != nil || !filepath.IsLocal(relative) {
		return nil, fmt.Errorf("%s lies outside of %s: %w", name, r.Root, fs.ErrNotExist)
	}
	return os.OpenInRoot(folder, relative)
}

// document reads a file of documents. The remedy is for one that cannot be read.
func (r *reader) document(name, remedy string) ([]byte, document.Problems) {
	text, err := r.read(name, document.StreamBytes)
	if err != nil {
		return nil, document.Problems{{File: name, Message: "cannot be read: " + err.Error(), Remedy: remedy}}
	}
	return text, nil
}

// read reads a regular file, up to a limit: a device or a pipe may never end.
func (r *reader) read(name string, limit int64) ([]byte, error) {
	file, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	about, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !about.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes, which is read at most", limit)
	}
	return content, err
}

// values reads the values files; of a key that several have, the last counts.
func (r *reader) values() (map[string]any, document.Problems) {
	values := map[string]any{}
	for _, name := range r.Values {
		text, problems := r.document(name, "name a values file that can be")
		if len(problems) == 0 {
			problems = parseOne(name, text, "write NAME: VALUE, one a line", func(_ *document.File, fields map[string]any) { maps.Copy(values, fields) })
		}
		if len(problems) > 0 {
			return nil, problems
		}
	}
	return values, nil
}

// parseOne reads a text of one document that is a mapping; read takes it.
func parseOne(name string, text []byte, remedy string, read func(file *document.File, fields map[string]any)) document.Problems {
	begun := false
	return document.Stream(name, text, "", func(_ int, file *document.File) {
		root, _ := file.Value("")
		fields, isMap := root.(map[string]any)
		switch {
		case begun:
			file.Wrong("", "a second document begins here", "keep one: emcoctl reads the first alone")
		case !isMap:
			file.Wrong("", "is not a mapping", remedy)
		default:
			read(file, fields)
		}
		begun = true
	})
}
