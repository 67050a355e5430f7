package target

import (
	_ "embed"
	"os"
	"path/filepath"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

//go:embed schema.json
var schemaText []byte

var schema = document.Embedded(schemaText)

// Read reads a target file. No problem shows a value where a secret could stand.
func Read(file string) (*Target, document.Problems) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, document.Problems{{File: file, Message: "the target file cannot be read: " + err.Error(), Remedy: "name a target file that is there"}}
	}
	return Parse(file, data)
}

// Parse reads a target from data; file is its name, whose folder references to
// files start from.
func Parse(file string, data []byte) (*Target, document.Problems) {
	folder, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, document.Problems{{File: file, Message: "its folder is not known: " + err.Error(), Remedy: "give the target file's absolute path"}}
	}
	var read struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec *Target `json:"spec"`
	}
	source := document.Parse(file, data)
	schema().Check(source, "")
	source.Decode("", &read)
	if problems := source.Problems(); len(problems) > 0 {
		return nil, problems
	}
	target := read.Spec
	target.Name, target.File, target.Places = read.Metadata.Name, file, source.Places(SettingsField)
	target.resolve(folder)
	return target, nil
}

// resolve makes file names absolute and removes the trailing slash of URLs.
func (t *Target) resolve(folder string) {
	if local := t.Driver.Local; local != nil {
		local.Cluster = absolute(folder, local.Cluster)
	}
	if cluster := t.Driver.Kubernetes; cluster != nil {
		cluster.Kubeconfig = absolute(folder, cluster.Kubeconfig)
	}
	for _, reference := range t.Credentials.References() {
		reference.File = absolute(folder, reference.File)
	}
	for name, service := range t.Services {
		service.URL = strings.TrimSuffix(service.URL, "/")
		t.Services[name] = service
	}
	if t.Ingress != nil {
		t.Ingress.URL = strings.TrimSuffix(t.Ingress.URL, "/")
	}
	resolveSettings(folder, t.Settings)
}

func absolute(folder, name string) string {
	if name == "" || filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(folder, name)
}

func resolveSettings(folder string, value any) {
	switch value := value.(type) {
	case map[string]any:
		if name, isText := value["file"].(string); isText && len(value) == 1 {
			value["file"] = absolute(folder, name)
			return
		}
		for _, inner := range value {
			resolveSettings(folder, inner)
		}
	case []any:
		for _, inner := range value {
			resolveSettings(folder, inner)
		}
	}
}
