package emco

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

func mustNames(t *testing.T, run string, attempt int) Names {
	t.Helper()
	names, err := NewNames(run, attempt)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestNewNames(t *testing.T) {
	long := strings.Repeat("x", maxRun)
	for _, test := range []struct {
		run     string
		attempt int
		field   string
	}{
		{"a", 1, ""}, {"dig-1", 1, ""}, {"9x", maxAttempt, ""}, {long, 12, ""},
		{"", 1, "run"}, {"-a", 1, "run"}, {"a-", 1, "run"}, {"A", 1, "run"}, {"a.b", 1, "run"}, {"a/b", 1, "run"}, {"a\n", 1, "run"}, {long + "x", 1, "run"},
		{"a", 0, "attempt"}, {"a", -1, "attempt"}, {"a", maxAttempt + 1, "attempt"},
	} {
		_, err := NewNames(test.run, test.attempt)
		var field document.Problem
		if test.field == "" && err != nil || test.field != "" && (!errors.As(err, &field) || field.Field != test.field || field.Remedy == "") {
			t.Errorf("NewNames(%q, %d): error %v, want one of field %q", test.run, test.attempt, err, test.field)
		}
	}
}

func TestMark(t *testing.T) {
	for mark, want := range map[string]string{
		"emco-chaos/r1": "r1", "emco-chaos/": "", "emco-chaos": "", "": "", "other/r1": "", "emco-chaos/R 1": "", "x emco-chaos/r1": "",
	} {
		if run, ok := RunOf(mark); ok != (want != "") || ok && run != want {
			t.Errorf("RunOf(%q) = %q, %t, want %q", mark, run, ok, want)
		}
	}
	names := mustNames(t, "run-7", 3)
	if names.Mark() != "emco-chaos/run-7" {
		t.Errorf("mark %q", names.Mark())
	}
	for _, test := range []struct {
		name, mark string
		ok         bool
	}{
		{"run-7-3", "emco-chaos/run-7", true},
		{"run-7-3", "emco-chaos/run", false},
		{"run-7-3", "", false},
		{"run-7-03", "emco-chaos/run-7", false},
		{"run-7-0", "emco-chaos/run-7", false},
		{"run-7-x", "emco-chaos/run-7", false},
		{"run-7", "emco-chaos/run-7", false},
	} {
		got, ok := NamesOf(test.name, test.mark)
		if ok != test.ok || ok && got != names {
			t.Errorf("NamesOf(%q, %q) = %v, %t, want %t", test.name, test.mark, got, ok, test.ok)
		}
	}
}

// All names fit EMCO's pattern and Kubernetes' limits, no anchor comes twice,
// parents come before children, and whatever has metadata carries the mark.
func TestResources(t *testing.T) {
	pattern := regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`)
	names := mustNames(t, strings.Repeat("r", maxRun), maxAttempt)
	apps := []string{"adservice", "recommendationservice", "productcatalogservice"}
	for _, app := range apps {
		if err := names.CheckApp(app); err != nil {
			t.Error(err)
		}
	}
	var anchors []string
	for _, r := range names.All(Material{Kubeconfig: []byte("kind: Config"), Apps: apps}) {
		if slices.Contains(anchors, r.Anchor) {
			t.Errorf("%s comes twice", r.Anchor)
		}
		anchors = append(anchors, r.Anchor)
		parts := strings.Split(r.Anchor, "/")
		name := parts[len(parts)-1]
		if !pattern.MatchString(name) || len(name) > maxLabel {
			t.Errorf("%s: name %q", r.Kind, name)
		}
		if !strings.HasPrefix(r.Anchor, r.Create.Anchor+"/") {
			t.Errorf("%s is not in %s", r.Anchor, r.Create.Anchor)
		}
		if parent := parentOf(r.Anchor); parent != "" && !slices.Contains(anchors, parent) {
			t.Errorf("%s comes before %s", r.Anchor, parent)
		}
		body, err := json.Marshal(r.Create.JSON)
		if err != nil {
			t.Fatal(err)
		}
		if r.Kind != ClusterLabel && (Answer{Body: body}).Mark() != names.Mark() {
			t.Errorf("%s has no mark: %s", r.Kind, body)
		}
		if !bytes.Contains(body, []byte(`"`+name+`"`)) && r.Kind != CompositeApp {
			t.Errorf("%s does not name %s: %s", r.Kind, name, body)
		}
	}
	if want := 6 + Groups*(5+3*len(apps)); len(anchors) != want {
		t.Errorf("%d resources, want %d", len(anchors), want)
	}
	if one, other := names.Object("a"), names.Group(2).Object("a"); one == other {
		t.Errorf("two groups have the object %s", one)
	}
}

// parentOf is the anchor of the resource that one lies below.
func parentOf(anchor string) string {
	parts := strings.Split(anchor, "/")
	if n := len(parts); n > 4 && parts[n-3] == "composite-apps" {
		return strings.Join(parts[:n-3], "/")
	}
	if len(parts) <= 2 {
		return ""
	}
	return strings.Join(parts[:len(parts)-2], "/")
}

func TestCheckApp(t *testing.T) {
	names := mustNames(t, strings.Repeat("r", maxRun), 10)
	for app, ok := range map[string]bool{
		"frontend": true, "": false, "Front": false, "1st": false, "a/b": false, "..": false, "a b": false,
		strings.Repeat("a", maxLabel-maxRun-4): true, strings.Repeat("a", maxLabel-maxRun-3): false,
	} {
		if err := names.CheckApp(app); (err == nil) != ok {
			t.Errorf("CheckApp(%q): %v, want ok %t", app, err, ok)
		}
	}
}

// untar reads a gzipped tar: its files by name, and the names in order.
func untar(t *testing.T, archive []byte) (files map[string]string, order []string) {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for reader := tar.NewReader(compressed); ; {
		header, err := reader.Next()
		if err == io.EOF {
			return files, order
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
		order = append(order, header.Name)
	}
}

func TestChart(t *testing.T) {
	names := mustNames(t, "run", 2)
	first := chart(names, "frontend")
	if !bytes.Equal(first, chart(names, "frontend")) {
		t.Error("the same names gave different bytes")
	}
	files, order := untar(t, first)
	want := []string{"frontend/", "frontend/Chart.yaml",
		"frontend/templates/", "frontend/templates/deployment.yaml", "frontend/templates/service.yaml", "frontend/values.yaml"}
	if !slices.Equal(order, want) {
		t.Errorf("files %v, want %v", order, want)
	}
	for _, file := range []string{"deployment", "service"} {
		if text := files["frontend/templates/"+file+".yaml"]; !strings.Contains(text, "\n  name: run-2-frontend\n") {
			t.Errorf("%s has no object run-2-frontend:\n%s", file, text)
		}
	}
	files, _ = untar(t, ProfileArchive(0))
	if !strings.Contains(files["manifest.yaml"], "override_values.yaml") || files["override_values.yaml"] != "replicas: 0\n" {
		t.Errorf("profile %v", files)
	}
}

func TestList(t *testing.T) {
	for body, want := range map[string]int{"null\n": 0, "[]\n": 0, `[{"metadata":{"name":"a","userData1":"emco-chaos/r"}},{"metadata":{"name":"b"}}]`: 2, "{}": -1, "no": -1} {
		list, ok := (Answer{Outcome: Outcome{Kind: Accepted}, Body: []byte(body)}).List()
		if ok != (want >= 0) || ok && len(list) != want {
			t.Errorf("List of %q: %v, %t, want %d", body, list, ok, want)
		}
	}
	if list, ok := (Answer{Outcome: Outcome{Kind: Rejected}, Body: []byte("[]")}).List(); ok {
		t.Errorf("a rejection gave the list %v", list)
	}
}
