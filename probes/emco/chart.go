package emco

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"path"
	"slices"
)

// chart makes the Helm chart of an app: a Deployment and a Service. EMCO
// wants the chart in a folder of the app's name. The same names give the
// same bytes.
func chart(n Names, app string) []byte {
	object := n.Object(app)
	return archive(map[string]string{
		path.Join(app, "Chart.yaml"):  fmt.Sprintf("apiVersion: v2\nname: %s\nversion: 0.1.0\n", app),
		path.Join(app, "values.yaml"): "replicas: 1\nimage: pause:3.10\nport: 8080\n",
		path.Join(app, "templates", "deployment.yaml"): fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata:
  name: %[1]s
  labels: {app: %[1]s}
spec:
  replicas: {{ .Values.replicas }}
  selector:
    matchLabels: {app: %[1]s}
  template:
    metadata:
      labels: {app: %[1]s}
    spec:
      containers:
        - name: main
          image: {{ .Values.image | quote }}
`, object),
		path.Join(app, "templates", "service.yaml"): fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: %[1]s
  labels: {app: %[1]s}
spec:
  selector: {app: %[1]s}
  ports:
    - port: {{ .Values.port }}
`, object),
	}, app, path.Join(app, "templates"))
}

// profile makes the profile of an app. It asks for no replicas: EMCO has
// deployed an app when the edge has taken its objects, so that nothing has
// to run and no image is needed.
func profile() []byte {
	return archive(map[string]string{
		"manifest.yaml":        "---\nversion: v1\ntype:\n  values: \"override_values.yaml\"\n",
		"override_values.yaml": "replicas: 0\n",
	})
}

// archive packs files into a gzipped tar, folders first.
func archive(files map[string]string, folders ...string) []byte {
	var buffer bytes.Buffer
	compressed := gzip.NewWriter(&buffer)
	writer := tar.NewWriter(compressed)
	// Nothing here can fail: the buffer takes everything, and the headers
	// are made for what is written.
	for _, folder := range folders {
		_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_ = writer.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name]))})
		_, _ = writer.Write([]byte(files[name]))
	}
	_ = writer.Close()
	_ = compressed.Close()
	return buffer.Bytes()
}
