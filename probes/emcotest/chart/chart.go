// Package chart renders Helm charts, as far as the charts of EMCO's test applications go: templates with values,
// release and chart names, and the functions that such templates use.
package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"text/template"

	"gopkg.in/yaml.v3"
)

const (
	templates   = "templates" // the folder of a chart's templates
	largestFile = 4 << 20
)

// Manifest is one rendered Kubernetes object.
type Manifest struct {
	Name string
	Kind string
	YAML string
}

// Release says what a chart is rendered for.
type Release struct {
	Name      string
	Namespace string
	Values    []byte            // YAML that overrides the chart's values.yaml; a profile's
	Set       map[string]string // path.to.value: value, over both; a deployment intent group's
}

// Render returns the objects of the chart in a gzipped tar file, in the order in which Helm applies them.
func Render(archive []byte, release Release) ([]Manifest, error) {
	files, err := Files(archive)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, layer := range [][]byte{files["values.yaml"], release.Values} {
		var over map[string]any
		if err := yaml.Unmarshal(layer, &over); err != nil {
			return nil, fmt.Errorf("read values: %w", err)
		}
		merge(values, over)
	}
	for name, value := range release.Set {
		set(values, strings.Split(name, "."), value)
	}
	var about map[string]any
	if err := yaml.Unmarshal(files["Chart.yaml"], &about); err != nil {
		return nil, fmt.Errorf("read Chart.yaml: %w", err)
	}
	chart := map[string]any{}
	for name, value := range about {
		chart[strings.ToUpper(name[:1])+name[1:]] = value
	}
	return render(files, map[string]any{
		"Values":  values,
		"Chart":   chart,
		"Release": map[string]any{"Name": release.Name, "Namespace": release.Namespace, "Service": "Helm"},
	})
}

func render(files map[string][]byte, data map[string]any) ([]Manifest, error) {
	all := template.New("").Option("missingkey=zero")
	all.Funcs(functions(all))
	var names []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, templates+"/") {
			continue
		}
		if _, err := all.New(name).Parse(string(files[name])); err != nil {
			return nil, fmt.Errorf("read template: %w", err)
		}
		if extension := path.Ext(name); extension == ".yaml" || extension == ".yml" {
			names = append(names, name)
		}
	}
	var manifests []Manifest
	for _, name := range names {
		var out bytes.Buffer
		if err := all.ExecuteTemplate(&out, name, data); err != nil {
			return nil, fmt.Errorf("render template: %w", err)
		}
		objects, err := split(out.Bytes())
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		manifests = append(manifests, objects...)
	}
	slices.SortStableFunc(manifests, func(a, b Manifest) int { return rank(a.Kind) - rank(b.Kind) })
	return manifests, nil
}

// split reads the objects of a rendered template. Documents without an object are left out.
func split(rendered []byte) ([]Manifest, error) {
	var manifests []Manifest
	documents := yaml.NewDecoder(bytes.NewReader(rendered))
	for {
		var object map[string]any
		err := documents.Decode(&object)
		if errors.Is(err, io.EOF) {
			return manifests, nil
		}
		if err != nil {
			return nil, err
		}
		metadata, _ := object["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		kind, _ := object["kind"].(string)
		if name == "" || kind == "" {
			continue
		}
		raw, err := yaml.Marshal(object)
		if err != nil {
			return nil, err
		}
		manifests = append(manifests, Manifest{Name: name, Kind: kind, YAML: string(raw)})
	}
}

// first are the kinds that Helm installs before all others, in its order.
var first = []string{"Namespace", "ServiceAccount", "Secret", "ConfigMap", "PersistentVolumeClaim", "Role", "RoleBinding", "Service"}

func rank(kind string) int {
	if at := slices.Index(first, kind); at >= 0 {
		return at
	}
	return len(first)
}

// Files returns the files of a gzipped tar file, by their path. A single folder around them all is left out.
func Files(archive []byte) (map[string][]byte, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("unzip: %w", err)
	}
	files := map[string][]byte{}
	entries := tar.NewReader(unzipped)
	for {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("untar: %w", err)
		}
		if entry.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(io.LimitReader(entries, largestFile))
		if err != nil {
			return nil, fmt.Errorf("untar %s: %w", entry.Name, err)
		}
		files[path.Clean(entry.Name)] = content
	}
	return unwrapped(files), nil
}

func unwrapped(files map[string][]byte) map[string][]byte {
	folder := ""
	for name := range files {
		top, _, nested := strings.Cut(name, "/")
		if !nested || top == templates || folder != "" && folder != top {
			return files
		}
		folder = top
	}
	inner := map[string][]byte{}
	for name, content := range files {
		inner[strings.TrimPrefix(name, folder+"/")] = content
	}
	return inner
}

func merge(values, over map[string]any) {
	for name, value := range over {
		deeper, ok := value.(map[string]any)
		there, both := values[name].(map[string]any)
		if ok && both {
			merge(there, deeper)
			continue
		}
		values[name] = value
	}
}

func set(values map[string]any, path []string, value string) {
	for ; len(path) > 1; path = path[1:] {
		deeper, ok := values[path[0]].(map[string]any)
		if !ok {
			deeper = map[string]any{}
			values[path[0]] = deeper
		}
		values = deeper
	}
	values[path[0]] = value
}
