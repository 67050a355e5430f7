package gms

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"text/template"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

//go:embed chart files
var embedded embed.FS

// Images says which container images the apps run.
type Images struct {
	// Prefix and Tag make an app's image: PREFIX/APP:TAG. Without a prefix
	// the apps are deployed with no replica: EMCO has deployed an app when
	// the edge has taken its objects, so nothing has to run.
	Prefix, Tag string
}

// Chart is the Helm chart of an app, as a gzipped tar: a Deployment, and a Service if
// others call it. The same arguments give the same bytes.
func Chart(name string, images Images) ([]byte, error) {
	at := slices.IndexFunc(apps, func(a app) bool { return a.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("the application has no app %q; it has %v", name, Apps())
	}
	data := struct {
		app
		Image string
	}{apps[at], path.Join(images.Prefix, name+":"+cmp.Or(images.Tag, "latest"))}
	if name == "redis" {
		data.Image = "redis:alpine"
	}
	contents := map[string][]byte{}
	err := fs.WalkDir(embedded, "chart", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Base(file) == "service.yaml" && data.Port == 0 {
			return err
		}
		text, err := embedded.ReadFile(file)
		if err == nil {
			// Helm's own braces stay as they are.
			contents[name+file[len("chart"):]], err = fill(text, "[[", "]]", data)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("make the chart of %s: %w", name, err)
	}
	return emco.Archive(contents), nil
}

// Profile is the profile of an app, as a gzipped tar: the values that override
// those of its chart, a replica if it has an image.
func Profile(images Images) []byte {
	return emco.ProfileArchive(min(1, len(images.Prefix)))
}

func fill(text []byte, left, right string, data any) ([]byte, error) {
	filled, err := template.New("").Delims(left, right).Option("missingkey=error").
		Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = filled.Execute(&out, data)
	return out.Bytes(), err
}
