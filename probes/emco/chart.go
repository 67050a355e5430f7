package emco

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed chart
var charts embed.FS

// chart makes the Helm chart of an app: a Deployment and a Service. EMCO
// wants the chart in a folder of the app's name.
func chart(n Names, app string) []byte {
	fill := strings.NewReplacer("APP", app, "OBJECT", n.Object(app))
	files := map[string][]byte{}
	for _, name := range []string{"Chart.yaml", "values.yaml", "templates/deployment.yaml", "templates/service.yaml"} {
		content, _ := charts.ReadFile("chart/" + name) // what is embedded can be read
		files[app+"/"+name] = []byte(fill.Replace(string(content)))
	}
	return Archive(files)
}

// ProfileArchive makes the profile of an app with so many replicas. EMCO has deployed
// an app when the edge has taken its objects: with none, no image is needed.
func ProfileArchive(replicas int) []byte {
	return Archive(map[string][]byte{
		"manifest.yaml":        []byte("---\nversion: v1\ntype:\n  values: \"override_values.yaml\"\n"),
		"override_values.yaml": fmt.Appendf(nil, "replicas: %d\n", replicas),
	})
}

// Archive packs files, by their names, into a gzipped tar, with their folders: the
// same bytes for the same files.
func Archive(files map[string][]byte) []byte {
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	writer := tar.NewWriter(compressed)
	folders := map[string]bool{}
	// Nothing here can fail: the buffer takes everything, and the headers fit.
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if folder := path.Dir(name); folder != "." && !folders[folder] {
			folders[folder] = true
			_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755})
		}
		_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))})
		_, _ = writer.Write(files[name])
	}
	_ = writer.Close()
	_ = compressed.Close()
	return buffer.Bytes()
}
