package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// command runs emco-chaos in this process.
func command(args ...string) (code int, out, errs string) {
	var outBuffer, errsBuffer bytes.Buffer
	code = Main(args, &outBuffer, &errsBuffer)
	return code, outBuffer.String(), errsBuffer.String()
}

// usersTarget is a target file that has emcoctl's configuration in place of
// URLs.
func usersTarget(t *testing.T, server *emcotest.EMCO) (target, config string) {
	t.Helper()
	folder := t.TempDir()
	var text strings.Builder
	for _, service := range []string{"orchestrator", "dcm", "clm", "rsync"} {
		host, port, err := net.SplitHostPort(server.Address(service))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(service + ": {host: " + host + ", port: " + port + "}\n")
	}
	for name, content := range map[string]string{
		"emco-cfg.yaml":   text.String(),
		"edge.kubeconfig": "apiVersion: v1\nkind: Config\n",
		"token.txt":       "canary-apply-7\n",
		"target.yaml": `apiVersion: emco-chaos/v1
kind: Target
metadata: {name: users}
spec:
  driver: {kubernetes: {}}
  services:
    orchestrator: {namespace: emco, labels: {app: orchestrator}}
    dcm: {namespace: emco, labels: {app: dcm}}
  credentials:
    token: {file: token.txt}
  settings:
    emcoctl: {config: {file: emco-cfg.yaml}}
    edge: {kubeconfig: {file: edge.kubeconfig}}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "target.yaml"), filepath.Join(folder, "emco-cfg.yaml")
}

func TestApplyAndDelete(t *testing.T) {
	server := emcotest.Start(t, emcotest.Options{AppTime: 10 * time.Millisecond, Token: "canary-apply-7"})
	target, config := usersTarget(t, server)
	folder := filepath.Join(t.TempDir(), "gms")
	if code, out, errs := command("gms", "--dir", folder, "--target", target, "--apps", "adservice,redis"); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	with := func(verb string, more ...string) []string {
		return append([]string{
			verb, "-f", filepath.Join(folder, "prerequisites.yaml"), "-f", filepath.Join(folder, "deployment.yaml"),
			"-v", filepath.Join(folder, "values.yaml"),
		}, more...)
	}
	token := []string{"--config", config, "--token-file", filepath.Join(filepath.Dir(config), "token.txt")}
	for _, test := range []struct {
		name string
		args []string
		code int
		out  string
		errs string
	}{
		{"no token", with("apply", "--config", config), 1, "refused     controllers (rsync): 401", "EMCO refused something"},
		{"apply", with("apply", "--target", target), 0, "21 done, 0 refused\n", ""},
		{"apply again", with("apply", token...), 0, "0 done, 21 already, 0 refused\n", ""},
		{"strict", with("apply", "--target", target, "--strict"), 1, "0 done, 1 refused\n", "is there already"},
		{"emcoctl", with("apply", "--target", target, "--format", "emcoctl"), 0, "---\nPOST --> URL: " + server.URL("orchestrator") + "/v2/projects\nResponse Code: 409\nResponse: Project already exists\n---\n", ""},
		{"delete", with("delete", token...), 0, "19 done, 2 skipped, 0 refused\n", ""},
		{"delete again", with("delete", "--target", target), 0, "0 done, 19 already, 2 skipped, 0 refused\n", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, out, errs := command(test.args...)
			if code != test.code || !strings.Contains(out, test.out) || !strings.Contains(errs, test.errs) {
				t.Errorf("exit %d\n%s\n%s", code, out, errs)
			}
			if strings.Contains(out+errs, "canary") {
				t.Error("the token is shown")
			}
		})
	}

	t.Run("unreachable", func(t *testing.T) {
		if err := server.Stop("clm"); err != nil {
			t.Fatal(err)
		}
		code, out, errs := command(with("apply", append(token, "-o", "json")...)...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var last struct{ Anchor, Verdict, Outcome string }
		if len(lines) != 4 || json.Unmarshal([]byte(lines[2]), &last) != nil {
			t.Fatalf("exit %d\n%s\n%s", code, out, errs)
		}
		if code != 4 || last.Anchor != "cluster-providers" || last.Verdict != "unreachable" || last.Outcome != "refused" {
			t.Errorf("exit %d, %+v\n%s", code, last, errs)
		}
		code, out, _ = command(with("apply", append(token, "--format", "emcoctl")...)...)
		words := "Post \"" + server.URL("clm") + "/v2/cluster-providers\": dial tcp " + server.Address("clm") + ": connect: connection refused\n"
		if code != 4 || !strings.HasSuffix(out, words+"Apply: cluster-providers Error: "+words) {
			t.Errorf("exit %d\n%s", code, out)
		}
	})
}

func TestApplyUsage(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"emco-cfg.yaml": "orchestrator: {host: 127.0.0.1, port: 1}\n",
		"good.yaml":     "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: p}\n",
		"broken.yaml":   "version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {nam: p}\n",
		"clm.yaml":      "version: emco/v2\nresourceContext: {anchor: cluster-providers}\nmetadata: {name: p}\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	for args, want := range map[string]string{
		"apply --config emco-cfg.yaml":                             "no resource file: name it with -f FILE",
		"apply -f good.yaml":                                       "no EMCO: name it with emcoctl's --config FILE or with --target FILE",
		"apply -f good.yaml --config emco-cfg.yaml -t target.yaml": "both --config and --target are given",
		"apply -f good.yaml -t target.yaml --token-env X":          "go with --config; a target has its own credentials",
		"apply -f none.yaml --config emco-cfg.yaml":                "none.yaml: cannot be read",
		"apply -f broken.yaml --config emco-cfg.yaml":              `broken.yaml:3:12: document 1: metadata.nam: the key "nam" is not known; did you mean name?`,
		"apply -f good.yaml -v none.yaml --config emco-cfg.yaml":   "none.yaml: cannot be read",
		"apply -f clm.yaml --config emco-cfg.yaml":                 "clm.yaml: document 1: no endpoint of clm is given",
		"apply -f good.yaml --config emco-cfg.yaml -o xml":         `invalid argument "xml" for "-o, --output" flag: write -o text, json or emcoctl`,
		"apply -f good.yaml --config emco-cfg.yaml --timeout 0s":   "must be more than 0",
		"apply -f good.yaml --config good.yaml":                    "good.yaml:1:1: document 1: version: is no microservice that emcoctl knows",
		"delete --config emco-cfg.yaml":                            "no resource file",
		"delete -f broken.yaml --config emco-cfg.yaml":             "broken.yaml:3:12",
		"gms": "no folder: name it with --dir DIRECTORY",
	} {
		code, out, errs := command(strings.Fields(args)...)
		if code != 2 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d\n%s%s", args, code, out, errs)
		}
	}
	if code, _, errs := command("apply", "-f", "good.yaml", "--config", "emco-cfg.yaml"); code != 4 || !strings.Contains(errs, "EMCO could not be reached") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
