package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/report"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// conformanceTarget is a target file of an EMCO, with the orchestrator at
// another URL if one is given.
func conformanceTarget(t *testing.T, e *emcotest.EMCO, orchestrator string) string {
	t.Helper()
	if orchestrator == "" {
		orchestrator = e.URL("orchestrator")
	}
	folder := t.TempDir()
	for name, content := range map[string]string{
		"edge.kubeconfig": "apiVersion: v1\nkind: Config\n",
		"target.yaml": `apiVersion: emco-chaos/v1
kind: Target
metadata: {name: other}
spec:
  driver: {kubernetes: {}}
  services:
    orchestrator: {url: "` + orchestrator + `", namespace: emco, labels: {app: orchestrator}}
    dcm: {url: "` + e.URL("dcm") + `", namespace: emco, labels: {app: dcm}}
    clm: {url: "` + e.URL("clm") + `", namespace: emco, labels: {app: clm}}
    rsync: {address: "` + e.Address("rsync") + `", namespace: emco, labels: {app: rsync}}
  settings:
    edge: {kubeconfig: {file: edge.kubeconfig}}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "target.yaml")
}

// projects is EMCO's list of projects.
func projects(t *testing.T, e *emcotest.EMCO) string {
	t.Helper()
	response, err := http.Get(e.URL("orchestrator") + "/v2/projects")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(body))
}

// An EMCO with other words for one thing: each difference is told, and the
// exit code says that there are some.
func TestConformanceDifferences(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, emcotest.Options{AppTime: 5 * time.Millisecond})
	to, err := url.Parse(e.URL("orchestrator"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte("Project not found"), []byte("no \x1b[31mproject"))))
			r.ContentLength = -1
			r.Header.Del("Content-Length")
			return err
		},
	})
	t.Cleanup(server.Close)
	target := conformanceTarget(t, e, server.URL)

	code, out, errs := command("conformance", "--target", target)
	if code != report.ExitFailed {
		t.Errorf("exit %d, want %d; %s", code, report.ExitFailed, errs)
	}
	for _, want := range []string{
		"record 18, project get none: different\n  request   GET " + server.URL + "/v2/projects/",
		"  expected  404 text/plain; charset=utf-8: Project not found\n  got       404 text/plain; charset=utf-8: no [31mproject\n",
		"record 19, project del none: different\n",
		" as recorded, 2 different, ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("EMCO's control characters are shown")
	}

	code, out, errs = command("conformance", "--target", target, "-o", "json")
	if code != report.ExitFailed {
		t.Errorf("exit %d, want %d; %s", code, report.ExitFailed, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3:\n%s", len(lines), out)
	}
	var difference struct {
		Record        int
		Result        string
		Expected, Got struct {
			Status int
			Body   string
		}
	}
	if err := json.Unmarshal([]byte(lines[0]), &difference); err != nil {
		t.Fatal(err)
	}
	if difference.Record != 18 || difference.Result != "different" || difference.Got.Body != "no \x1b[31mproject\n" || difference.Expected.Status != 404 {
		t.Errorf("%+v", difference)
	}
	var counts struct{ AsRecorded, Different, NotAsked int }
	if err := json.Unmarshal([]byte(lines[2]), &counts); err != nil {
		t.Fatal(err)
	}
	if counts.AsRecorded+counts.Different+counts.NotAsked != 315 || counts.Different != 2 {
		t.Errorf("%+v", counts)
	}
	if got := projects(t, e); got != "null" {
		t.Errorf("left: %s", got)
	}
}

// Ctrl-C ends the asking and removes what was made.
func TestConformanceInterrupted(t *testing.T) {
	t.Parallel()
	e := emcotest.Start(t, emcotest.Options{})
	var out bytes.Buffer
	asking := exec.Command(filepath.Join(bin, "emco-chaos"), "conformance", "--target", conformanceTarget(t, e, ""))
	asking.Stdout, asking.Stderr = &out, &out
	if err := asking.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = asking.Process.Kill() })
	limit := time.Now().Add(time.Minute)
	for projects(t, e) == "null" && time.Now().Before(limit) {
		pause(t.Context(), 2*time.Millisecond)
	}
	if err := asking.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := asking.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != report.ExitError {
		t.Errorf("%v, want exit %d\n%s", err, report.ExitError, &out)
	}
	if !strings.Contains(out.String(), " as recorded, 0 different, ") || !strings.Contains(out.String(), "ended at record ") {
		t.Errorf("what it said:\n%s", &out)
	}
	if got := projects(t, e); got != "null" {
		t.Errorf("left: %s", got)
	}
}
