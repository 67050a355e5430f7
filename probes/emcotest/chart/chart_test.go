package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var content bytes.Buffer
	zipped := gzip.NewWriter(&content)
	tarred := tar.NewWriter(zipped)
	for name, text := range files {
		if err := tarred.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tarred.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tarred.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

func TestRender(t *testing.T) {
	t.Parallel()
	const object = "kind: Deployment\nmetadata:\n    name: "
	for _, test := range []struct {
		name     string
		template string
		want     string
	}{
		{"plain", "kind: Deployment\nmetadata: {name: x}\n", "x"},
		{"value", "kind: Deployment\nmetadata: {name: '{{ .Values.name }}'}\n", "from-values"},
		{"value of a profile", "kind: Deployment\nmetadata: {name: '{{ .Values.deep.profile }}'}\n", "from-profile"},
		{"value that is set", "kind: Deployment\nmetadata: {name: '{{ .Values.deep.set }}'}\n", "from-set"},
		{"value that stays", "kind: Deployment\nmetadata: {name: '{{ .Values.deep.kept }}'}\n", "kept"},
		{"release and chart", "kind: Deployment\nmetadata: {name: {{ .Release.Name }}-{{ .Release.Namespace }}-{{ .Chart.Name }}}\n", "r1-default-mine"},
		{"functions", "kind: Deployment\nmetadata:\n  name: {{ .Values.none | default \"A\" | lower | quote }}\n", "a"},
		{"include", "kind: Deployment\nmetadata:{{ include \"mine.metadata\" . | nindent 2 }}\n", "included"},
		{"two documents and a comment", "# nothing\n---\n# nothing\n---\nkind: Deployment\nmetadata: {name: x}\n", "x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			manifests, err := Render(archive(t, map[string]string{
				"mine/Chart.yaml":              "name: mine\n",
				"mine/values.yaml":             "name: from-values\ndeep: {profile: a, set: b, kept: kept}\n",
				"mine/templates/_helpers.tpl":  "{{ define \"mine.metadata\" }}name: included{{ end }}",
				"mine/templates/template.yaml": test.template,
			}), Release{
				Name: "r1", Namespace: "default", Values: []byte("deep: {profile: from-profile}\n"),
				Set: map[string]string{"deep.set": "from-set"},
			})
			if err != nil {
				t.Fatal(err)
			}
			want := Manifest{Name: test.want, Kind: "Deployment", YAML: object + test.want + "\n"}
			if len(manifests) != 1 || manifests[0] != want {
				t.Errorf("%+v, want %+v alone", manifests, want)
			}
		})
	}
}

func TestRenderOrder(t *testing.T) {
	t.Parallel()
	manifests, err := Render(archive(t, map[string]string{
		"Chart.yaml": "name: mine\n", "values.yaml": "",
		"templates/a.yaml": "kind: Deployment\nmetadata: {name: a}\n---\nkind: Service\nmetadata: {name: b}\n",
		"templates/b.yaml": "kind: ConfigMap\nmetadata: {name: c}\n",
	}), Release{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, each := range manifests {
		kinds = append(kinds, each.Kind)
	}
	if got := strings.Join(kinds, " "); got != "ConfigMap Service Deployment" {
		t.Errorf("order %s", got)
	}
}

func TestRenderMistakes(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"template":  {map[string]string{"templates/a.yaml": "{{ nope }}"}, "read template"},
		"execution": {map[string]string{"templates/a.yaml": `{{ include "nope" . }}`}, "render template"},
		"result":    {map[string]string{"templates/a.yaml": "a: b: c"}, "template templates/a.yaml"},
		"values":    {map[string]string{"values.yaml": "a: b: c"}, "read values"},
		"chart":     {map[string]string{"Chart.yaml": "a: b: c"}, "read Chart.yaml"},
	} {
		if _, err := Render(archive(t, test.files), Release{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := Render([]byte("no archive"), Release{}); err == nil {
		t.Error("no archive: no error")
	}
}
