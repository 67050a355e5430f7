package emcoctl

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Sources are the files that resources are read from.
type Sources struct {
	// Files are resource files, in the order of their being applied.
	Files []string
	// Values are values files. If there is one the resource files are
	// templates; else they are taken as they are, as by emcoctl.
	Values []string
	// WithoutAttachments leaves the files that resources name unread: to
	// delete a resource they are not needed.
	WithoutAttachments bool
	// Root, if not empty, is a folder that no file may lie outside of.
	Root string
}

const (
	// attachmentBytes is the most that a database of EMCO's takes.
	attachmentBytes = 16 << 20
	allBytes        = 128 << 20
)

// Read reads resource files. Errors are [Problems].
//
// The name of a file that a resource names counts from the working
// directory, as with emcoctl; what is not there is looked for from the folder
// of the resource file.
func Read(sources Sources) ([]Resource, error) {
	open := files{root: sources.Root}
	values, err := readValues(open, sources.Values)
	if err != nil {
		return nil, err
	}
	r := &reader{files: open, skip: sources.WithoutAttachments, read: map[string][]byte{}}
	var problems Problems
	for _, name := range sources.Files {
		text, err := open.read(name, maxBytes)
		if err != nil {
			problems = append(problems, Problem{File: name, Message: "cannot be read: " + err.Error(), Remedy: "name a resource file that is there"})
			continue
		}
		s := &source{file: name}
		if len(sources.Values) > 0 {
			if text, err = render(name, text, values); err != nil {
				var wrong Problems
				errors.As(err, &wrong)
				problems = append(problems, wrong...)
				continue
			}
			s.rendered = true
		}
		before := len(r.resources)
		s.documents(text, func(v value) { r.resource(v) })
		if len(s.problems) == 0 && len(r.resources) == before {
			s.add(0, 0, "", "holds no resource", "write documents with version, resourceContext, metadata and spec")
		}
		problems = append(problems, s.problems...)
	}
	if len(sources.Files) == 0 {
		return nil, errors.New("no resource file is named")
	}
	return r.resources, problems.err()
}

// Parse reads the resources in a text, without values and without the files
// that they name; file is the text's name. Errors are [Problems].
func Parse(file string, text []byte) ([]Resource, error) {
	r := &reader{skip: true}
	s := &source{file: file}
	if len(text) > maxBytes {
		s.add(0, 0, "", fmt.Sprintf("is larger than %d bytes", maxBytes), "split it")
		return nil, s.problems.err()
	}
	s.documents(text, func(v value) { r.resource(v) })
	return r.resources, s.problems.err()
}

// reader reads resources.
type reader struct {
	files     files
	skip      bool
	read      map[string][]byte // attachments by path: many resources name the same profile
	size      int
	resources []Resource
}

const (
	version        = "emco/v2"
	resourceRemedy = "write version, resourceContext: {anchor: PATH}, metadata: {name: NAME} and spec"
)

func (r *reader) resource(v value) {
	before := len(v.source.problems)
	entries, ok := v.mapping(resourceRemedy)
	if !ok {
		return
	}
	resource := Resource{File: v.source.file, Document: v.source.document, Line: max(v.node.Line, 1)}
	var anchor, label, file, list *value
	versioned := false
	for _, e := range entries {
		switch e.key {
		case "version":
			versioned = true
			if text, ok := e.value.need("write version: " + version); ok && text != version {
				e.value.problem(fmt.Sprintf("%q is not known", emco.Shown(text)), "write version: "+version)
			}
		case "resourceContext":
			anchor = r.context(e.value, &resource)
		case "metadata":
			r.metadata(e.value, &resource)
		case "spec":
			r.spec(e.value, &resource)
		case "clusterLabel":
			label = &e.value
			resource.ClusterLabel, _ = e.value.need("write the label")
		case "file":
			file = &e.value
		case "files":
			list = &e.value
		default:
			remedy := "leave it out: emcoctl takes version, resourceContext, metadata, spec, file, files and clusterLabel, and silently ignores all else"
			if lower := strings.ToLower(e.key); lower == "metadata" || lower == "spec" {
				remedy = "write it " + lower + ": emcoctl silently ignores it otherwise"
			}
			e.value.problem("is not known", remedy)
		}
	}
	if !versioned {
		v.problem("version is missing", "write version: "+version)
	}
	switch {
	case anchor == nil:
		if len(v.source.problems) == before {
			v.problem("resourceContext.anchor is missing", "write resourceContext: {anchor: PATH}")
		}
	case label != nil && resource.Metadata != nil && resource.Metadata.Name != "":
		label.problem("stands beside metadata.name", "keep one: a label has no other name")
	case resource.Name() == "" && resource.Call() == "" && len(v.source.problems) == before:
		v.problem("metadata.name is missing", "write metadata: {name: NAME}; only anchors that end in "+strings.Join(calls, ", ")+" go without")
	}
	if file != nil && list != nil {
		list.problem("stands beside file", "keep one of the two")
	} else if len(v.source.problems) == before {
		r.attach(file, list, &resource)
	}
	if own := resource.Own(); own != "" && len(v.source.problems) == before {
		if err := emco.CheckAnchor(own); err != nil {
			v.problem(fmt.Sprintf("the name %q cannot stand in a path of EMCO's", emco.Shown(resource.Name())),
				"use letters, digits, hyphens, underscores and dots")
		}
	}
	if len(v.source.problems) == before {
		r.resources = append(r.resources, resource)
	}
}

func (r *reader) context(v value, resource *Resource) *value {
	const remedy = "write resourceContext: {anchor: PATH}"
	entries, ok := v.mapping(remedy)
	if !ok {
		return nil
	}
	var anchor *value
	for _, e := range entries {
		if e.key != "anchor" {
			e.value.problem("is not known", remedy)
			continue
		}
		anchor = &e.value
		text, ok := e.value.need("write the path below /v2/")
		if !ok {
			continue
		}
		if err := emco.CheckAnchor(text); err != nil {
			v.source.fieldError(e.value, err)
			continue
		}
		resource.Anchor = text
	}
	return anchor
}

func (r *reader) metadata(v value, resource *Resource) {
	const remedy = "write metadata: {name: NAME}, with description, userData1 and userData2 if you like"
	if v.empty() {
		return
	}
	entries, ok := v.mapping(remedy)
	if !ok {
		return
	}
	resource.Metadata = &Metadata{}
	for _, e := range entries {
		field, known := map[string]*string{
			"name": &resource.Metadata.Name, "description": &resource.Metadata.Description,
			"userData1": &resource.Metadata.UserData1, "userData2": &resource.Metadata.UserData2,
		}[e.key]
		if !known {
			e.value.problem("is not known", remedy)
			continue
		}
		*field, _ = e.value.text("write a text")
	}
}

func (r *reader) spec(v value, resource *Resource) {
	if v.empty() {
		return
	}
	if _, ok := v.mapping("write KEY: VALUE"); !ok {
		return
	}
	if fields, ok := v.any(); ok {
		resource.Spec, _ = fields.(map[string]any)
	}
}

// attach reads the files that the resource names.
func (r *reader) attach(file, list *value, resource *Resource) {
	switch {
	case file != nil:
		if content, ok := r.attachment(*file); ok {
			resource.Attachment = &content
		}
	case list != nil:
		entries, ok := list.list("write - FILE, one a line")
		if !ok {
			return
		}
		for _, v := range entries {
			if content, ok := r.attachment(v); ok {
				resource.Attachments = append(resource.Attachments, content)
			}
		}
	}
}

// attachment reads one file. The name that EMCO is told is the last piece of
// the path.
func (r *reader) attachment(v value) (emco.File, bool) {
	const remedy = "name a file that is there, from the working directory or from the folder of this file"
	name, ok := v.need(remedy)
	if !ok {
		return emco.File{}, false
	}
	name = strings.TrimSpace(name)
	if strings.ContainsRune(name, 0) {
		v.problem("is no file's name", remedy)
		return emco.File{}, false
	}
	attached := emco.File{Name: path.Base(filepath.ToSlash(name))}
	if r.skip {
		return attached, true
	}
	places := []string{name}
	if !filepath.IsAbs(name) {
		places = append(places, filepath.Join(filepath.Dir(v.source.file), name))
	}
	content, err := r.first(places)
	if err != nil {
		v.problem(emco.Shown("cannot be read: "+err.Error()), remedy)
		return emco.File{}, false
	}
	attached.Content = content
	return attached, true
}

// first reads the first of the places where there is a file.
func (r *reader) first(places []string) ([]byte, error) {
	var missing error
	for _, place := range places {
		if content, again := r.read[place]; again {
			return content, nil
		}
		content, err := r.files.read(place, attachmentBytes)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errOutside) {
			missing = errors.Join(missing, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.size += len(content); r.size > allBytes {
			return nil, fmt.Errorf("the files hold more than %d bytes in all", allBytes)
		}
		r.read[place] = content
		return content, nil
	}
	return nil, missing
}
