package emcotest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// answer is what a call brought.
type answer struct {
	status      int
	contentType string
	body        string
	err         error
}

// patience is how long a test waits for a state.
const patience = 30 * time.Second

// caller calls REST services on connections of its own, one a call.
type caller struct {
	urls  func(service string) string
	token string
}

// service is where a path is answered.
func service(path string) string {
	switch {
	case strings.HasPrefix(path, "/v2/cluster-providers"):
		return "clm"
	case strings.Contains(path, "/logical-clouds"):
		return "dcm"
	default:
		return "orchestrator"
	}
}

func (c caller) do(method, path string, header http.Header, body []byte) answer {
	request, err := http.NewRequest(method, c.urls(service(path))+path, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	maps.Copy(request.Header, header)
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, contentType: response.Header.Get("Content-Type"), body: string(content), err: err}
}

func (c caller) get(path string) answer  { return c.do(http.MethodGet, path, nil, nil) }
func (c caller) post(path string) answer { return c.do(http.MethodPost, path, nil, nil) }

// create posts a resource, as a form if there is a file.
func (c caller) create(path, body string, file []byte) answer {
	if file == nil {
		return c.do(http.MethodPost, path, nil, []byte(body))
	}
	header, content := form(body, file)
	return c.do(http.MethodPost, path, header, content)
}

// form is a body with the field metadata, unless that is "", and a file, unless that is empty.
func form(metadata string, file []byte) (http.Header, []byte) {
	var content bytes.Buffer
	writer := multipart.NewWriter(&content)
	if metadata != "" {
		_ = writer.WriteField("metadata", metadata) // to memory
	}
	if len(file) > 0 {
		part, _ := writer.CreateFormFile("file", "file")
		_, _ = part.Write(file)
	}
	_ = writer.Close()
	return http.Header{"Content-Type": {writer.FormDataContentType()}}, content.Bytes()
}

// deployed reads the state in a status; "" if there is none.
func (c caller) deployed(path string) string {
	var status struct {
		DeployedStatus string `json:"deployedStatus"`
	}
	got := c.get(path + "/status?status=deployed&output=summary")
	if got.status != http.StatusOK || json.Unmarshal([]byte(got.body), &status) != nil {
		return ""
	}
	return status.DeployedStatus
}

// reach waits for a state.
func (c caller) reach(t *testing.T, path, state string) {
	t.Helper()
	eventually(t, path+" is "+state, func() bool { return c.deployed(path) == state })
}

// accept posts and demands 202.
func (c caller) accept(t *testing.T, path string) {
	t.Helper()
	if got := c.post(path); got.status != http.StatusAccepted {
		t.Fatalf("POST %s: %d %s %v, want 202", path, got.status, got.body, got.err)
	}
}

// eventually asks until it is true.
func eventually(t *testing.T, what string, ask func() bool) {
	t.Helper()
	limit := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ask() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// archive is a gzipped tar file.
func archive(files map[string]string) []byte {
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	tarred := tar.NewWriter(zipped)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		_ = tarred.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(files[name]))}) // to memory
		_, _ = tarred.Write([]byte(files[name]))
	}
	_ = tarred.Close()
	_ = zipped.Close()
	return content.Bytes()
}

// chartOf is a chart with a Deployment and a Service of one name.
func chartOf(name string) []byte {
	return archive(map[string]string{
		name + "/Chart.yaml":                "name: " + name + "\nversion: 0.1.0\n",
		name + "/values.yaml":               "prefix: \"\"\n",
		name + "/templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Values.prefix }}{{ .Chart.Name }}\n",
		name + "/templates/service.yaml":    "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.prefix }}{{ .Chart.Name }}\n",
	})
}

// profileOf is a profile that changes nothing.
func profileOf() []byte {
	return archive(map[string]string{
		"manifest.yaml":        "version: v1\ntype:\n  values: override_values.yaml\n",
		"override_values.yaml": "{}\n",
	})
}
