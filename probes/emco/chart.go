package emco

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed chart profile
var archives embed.FS

// chart makes the Helm chart of an app: a Deployment and a Service. EMCO
// wants the chart in a folder of the app's name. The same names give the
// same bytes.
func chart(n Names, app string) []byte {
	return archive("chart", app, strings.NewReplacer("APP", app, "OBJECT", n.Object(app)))
}

// profile makes the profile of an app. It asks for no replicas: EMCO has
// deployed an app when the edge has taken its objects, so that nothing has
// to run and no image is needed.
func profile() []byte { return archive("profile", "", strings.NewReplacer()) }

// archive packs an embedded folder into a gzipped tar, below root.
func archive(folder, root string, fill *strings.Replacer) []byte {
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	writer := tar.NewWriter(compressed)
	// Nothing here can fail: the buffer takes everything, and the headers
	// are made for what is written.
	_ = fs.WalkDir(archives, folder, func(name string, entry fs.DirEntry, _ error) error {
		packed := path.Join(root, strings.TrimPrefix(name, folder))
		if entry.IsDir() {
			if packed != "" {
				_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: packed + "/", Mode: 0o755})
			}
			return nil
		}
		content, _ := archives.ReadFile(name)
		text := fill.Replace(string(content))
		_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(packed, "/"), Mode: 0o644, Size: int64(len(text))})
		_, _ = writer.Write([]byte(text))
		return nil
	})
	_ = writer.Close()
	_ = compressed.Close()
	return buffer.Bytes()
}
