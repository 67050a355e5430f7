package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes"
	"github.com/emco-chaos/emco-chaos/probes/cli"
	"github.com/emco-chaos/emco-chaos/probes/emcotest"
)

// probe runs the command in this process.
func probe(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var outBuffer, errsBuffer bytes.Buffer
	code = Main(t.Context(), args, &outBuffer, &errsBuffer)
	return code, outBuffer.String(), errsBuffer.String()
}

// write writes a file of the test's own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// configOf is emcoctl's configuration file for an EMCO.
func configOf(t *testing.T, server *emcotest.EMCO) string {
	t.Helper()
	var text strings.Builder
	for _, service := range []string{"orchestrator", "dcm", "clm", "rsync"} {
		host, port, err := net.SplitHostPort(server.Address(service))
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString(service + ": {host: " + host + ", port: " + port + "}\n")
	}
	return write(t, "emco-cfg.yaml", text.String())
}

func TestProbes(t *testing.T) {
	const token = "canary-5d1c7a90"
	server := emcotest.Start(t, emcotest.Options{Token: token})
	t.Setenv("EMCO_TEST_TOKEN", token)
	config := configOf(t, server)
	kubeconfig := write(t, "edge.kubeconfig", `apiVersion: v1
kind: Config
clusters: [{name: edge, cluster: {server: "`+server.URL("edge")+`"}}]
contexts: [{name: edge, context: {cluster: edge, user: nobody}}]
users: [{name: nobody, user: {}}]
current-context: edge
`)
	resources := write(t, "instantiate.yaml", "version: emco/v2\nresourceContext:\n  anchor: projects/{{ .Project }}/composite-apps/run-1-app/v1/deployment-intent-groups/run-1-dig/instantiate\n")
	values := write(t, "values.yaml", "Project: run-1\n")
	dig := "projects/run-1/composite-apps/run-1-app/v1/deployment-intent-groups/run-1-dig"

	for _, test := range []struct {
		name string
		args string
		code int
		out  string // a part of it
		errs string
	}{
		{"available", "available --service orchestrator", 0, "passed: orchestrator is available after", "answered: 1"},
		{"rsync is available", "available --service rsync", 0, "passed: rsync is available", ""},
		{"what is available is not unavailable", "unavailable --service dcm --timeout 200ms", 3, "inconclusive: dcm was not seen to refuse", ""},
		{"nothing there", "exists --anchor projects/run-1", 1, "failed: projects/run-1 is not there: Project not found", ""},
		{"dry", "ensure --run run --given for=dig.instantiate --kubeconfig " + kubeconfig + " --dry-run", 0, "would make projects/run-1 and cluster-providers/run-1, with all that is below them, until: clusterProvider Created", ""},
		{"dry has done nothing", "exists --anchor projects/run-1", 1, "failed", ""},
		{"ensure", "ensure --run run --given for=dig.instantiate --kubeconfig " + kubeconfig, 0, "passed: clusterProvider Created", "will make projects/run-1"},
		{"there now", "exists --anchor {dig} --run run", 0, "passed: " + dig + " is there", ""},
		{"status by names", "status --call dig.instantiate --project run-1 --composite-app run-1-app --dig run-1-dig", 0, "passed: status says Approved", ""},
		{"status by anchor", "status --call dig.instantiate --anchor " + dig, 0, "passed: status says Approved", ""},
		{"status by a resource file", "status --call dig.instantiate -f " + resources + " -v " + values, 0, "passed: status says Approved", ""},
		{"another state", "status --call dig.instantiate --state Instantiated --anchor " + dig, 1, "failed: status says Approved, not Instantiated", ""},
		{"call", "call --call dig.instantiate --anchor " + dig, 0, "passed: dig.instantiate: 202 Accepted", "will POST " + server.URL("orchestrator") + "/v2/" + dig + "/instantiate, once"},
		{"reached", "reached --call dig.instantiate --run run", 0, "passed: Instantiated after", ""},
		{"on the edge", "edge --call dig.instantiate --run run --kubeconfig " + kubeconfig, 0, "passed: 4 of 4 objects are on the edge: Deployment run-1-adservice", ""},
		{"not off the edge", "edge --call dig.terminate --anchor " + dig + " --timeout 1s --kubeconfig " + kubeconfig, 1, "still on the edge: Deployment run-1-adservice", ""},
		{"on no edge", "edge --call dig.instantiate --run run", 4, "error: ", ""},
		{"call once more", "call --call dig.instantiate --run run", 1, "500 Internal Server Error: DeploymentIntentGroup has already been instantiatedrun-1-dig (expected accepted)", ""},
		{"expected so", "call --call dig.instantiate --run run --expect rejected", 0, "passed", ""},
		{"not with this code", "call --call dig.instantiate --run run --expect", 1, "(expected rejected 409)", ""},
		{"whatever comes", "call --call dig.instantiate --run run --expect any", 0, "passed", ""},
		{"as emcoctl prints it", "call --call dig.instantiate --run run --expect any -o emcoctl", 0, "---\nPOST --> URL: " + server.URL("orchestrator") + "/v2/" + dig + "/instantiate\nResponse Code: 500\nResponse: Dep", "passed: "},
		{"not reissued", "reissue --call dig.instantiate --run run", 0, "passed: not reissued: status says Instantiated", ""},
		{"final", "not-final --call dig.instantiate --run run", 3, "inconclusive: status was final before it was seen under way", ""},
		{"reissue", "reissue --call dig.terminate --run run", 0, "passed: reissued: 202 Accepted", "unless it shows the call under way or done, POST"},
		{"terminated", "reached --call dig.terminate --run run", 0, "passed: Terminated after", ""},
		{"off the edge", "edge --call dig.terminate --run run --kubeconfig " + kubeconfig, 0, "passed: 0 of 4 objects are on the edge", ""},
		{"teardown", "teardown --run run", 0, "resources removed in", "will terminate and remove projects/run-1 and cluster-providers/run-1"},
		{"nothing to clean", "clean", 0, "passed: 0 resources of 0 attempts removed", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := strings.Fields(test.args)
			if test.name == "not with this code" {
				args = append(args, "rejected 409")
			}
			code, out, errs := probe(t, append(args, "--config", config, "--token-env", "EMCO_TEST_TOKEN")...)
			if code != test.code || !strings.Contains(out, test.out) || !strings.Contains(errs, test.errs) {
				t.Errorf("exit %d\n%s\n%s", code, out, errs)
			}
			if strings.Contains(out+errs, token) {
				t.Errorf("the token is shown:\n%s\n%s", out, errs)
			}
		})
	}

	t.Run("without the token", func(t *testing.T) {
		if code, out, _ := probe(t, "available", "--service", "dcm", "--config", config); code != 4 || !strings.Contains(out, "error: GET ") || !strings.Contains(out, "give a token that EMCO takes") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		code, out, errs := probe(t, "exists", "--anchor", "projects/nobody", "--config", config, "--token-env", "EMCO_TEST_TOKEN", "-o", "json")
		var read struct {
			Probe, Conclusion, Message string
			Evidence                   map[string]string
			Seen                       []struct{ Event, Note string }
		}
		if err := json.Unmarshal([]byte(out), &read); err != nil || code != 1 || errs != "" {
			t.Fatalf("exit %d, %v: %s%s", code, err, out, errs)
		}
		if read.Probe != "exists" || read.Conclusion != "failed" || read.Evidence["anchor"] != "projects/nobody" || read.Seen[0].Event != "started" {
			t.Errorf("got %+v", read)
		}
	})
	t.Run("the service is down", func(t *testing.T) {
		if err := server.Stop("dcm"); err != nil {
			t.Fatal(err)
		}
		for args, want := range map[string]struct {
			code int
			out  string
		}{
			"unavailable --service dcm":                                                          {0, "passed: dcm refuses after"},
			"available --service dcm --timeout 1s":                                               {1, "failed: dcm did not become available"},
			"call --call logical-cloud.terminate --project p --logical-cloud l":                  {1, "connect: connection refused (expected accepted)"},
			"call --call logical-cloud.terminate --project p --logical-cloud l --expect refused": {0, "passed"},
			"call --call logical-cloud.terminate --project p --logical-cloud l -o emcoctl":       {1, "Post \"http://" + server.Address("dcm") + "/v2/projects/p/logical-clouds/l/terminate\": dial tcp "},
		} {
			code, out, errs := probe(t, append(strings.Fields(args), "--config", config, "--token-env", "EMCO_TEST_TOKEN")...)
			if code != want.code || !strings.Contains(out, want.out) {
				t.Errorf("%s: exit %d\n%s\n%s", args, code, out, errs)
			}
		}
	})
}

func TestUsage(t *testing.T) {
	config := write(t, "emco-cfg.yaml", "orchestrator: {host: 127.0.0.1, port: 1}\n")
	target := write(t, "target.yaml", "apiVersion: emco-chaos/v1\nkind: Target\nspec: {services: {orchestrator: {url: \"http://127.0.0.1:1\"}}}\n")
	for args, want := range map[string]string{
		"nonsense":                                            `unknown command "nonsense"`,
		"available --config " + config:                        "available: service: is missing; use one of orchestrator, dcm, clm, rsync",
		"available --service x":                               `available: service: cannot be "x"; use one of orchestrator`,
		"available --service orchestrator":                    "no EMCO: name it with --config FILE (emcoctl's), with --target FILE, or with --orchestrator URL",
		"available --service orchestrator --config none.yaml": "none.yaml: cannot be read",
		"available --service orchestrator --config " + config + " --target " + target:                    "both --config and --target are given: keep one",
		"available --service orchestrator --target " + config:                                            "apiVersion: is missing; write apiVersion: emco-chaos/v1",
		"available --service orchestrator --orchestrator ftp://x":                                        "is no URL of a server; write http://HOST:PORT",
		"available --service orchestrator --orchestrator http://user:secret@x":                           "give a token by reference instead",
		"available --service orchestrator --timeout 0s --config " + config:                               "--timeout must be more than 0",
		"available --service orchestrator -o xml --config " + config:                                     `invalid argument "xml" for "-o, --output" flag: write -o text, json or emcoctl`,
		"status --call dig.instantiate --config " + config:                                               "give --project, --composite-app, --composite-app-version, --dig, or --anchor PATH, or -f FILE, or --run NAME",
		"status --call dig.instantiate --project p --anchor projects/q --config " + config:               "--project differs from the name in --anchor",
		"status --call dig.instantiate --project p --run r --config " + config:                           "--run stands beside names of resources",
		"status --call dig.instantiate --dig ../x --project p --composite-app c --config " + config:      `dig: "../x" cannot name a resource of EMCO's`,
		"exists --anchor ../../x --config " + config:                                                     "has a piece that leads elsewhere",
		"ensure --given for=dig.instantiate --config " + config:                                          "ensure works on resources of a run's own: name the run with --run NAME",
		"ensure --given dig=Sunny --run r --config " + config:                                            `"Sunny" is no state`,
		"teardown --project p --config " + config:                                                        "unknown flag: --project",
		"call --call dig.instantiate --anchor projects/p --expect luck --config " + config:               `invalid argument "luck" for "--expect" flag: write accepted`,
		"serve --config " + config + " --offer x":                                                        "begins with no name; write NAME=PROBE",
		"serve --config " + config + " --offer x=call,call=dig.instantiate":                              `"call" is no probe that can be offered; use one of available, unavailable, exists`,
		"serve --config " + config + " --offer x=available,service":                                      `"service" is no KEY=VALUE, or its KEY stands there twice; write NAME=PROBE`,
		"serve --config " + config + " --offer x=status,call=dig.instantiate":                            "the names of resources are missing",
		"serve --config " + config + " --offer x=available,service=clm --offer x=exists,anchor=projects": "the name stands there twice",
		"serve --config " + config + " --concurrency 0":                                                  "must be more than 0",
	} {
		code, out, errs := probe(t, strings.Fields(args)...)
		if code != cli.Usage || !strings.Contains(errs, want) || out != "" {
			t.Errorf("%s: exit %d\n%s%s", args, code, out, errs)
		}
		if strings.Contains(errs, "secret") {
			t.Errorf("%s: a secret is shown: %s", args, errs)
		}
	}
}

// TestActions: whatever changes EMCO says before what it will do.
func TestActions(t *testing.T) {
	for _, kind := range probes.Catalogue() {
		if _, listed := actions[kind.Name]; listed != kind.Changes() {
			t.Errorf("%s: changes EMCO: %t, is in the table: %t", kind.Name, kind.Changes(), listed)
		}
	}
}

func TestTarget(t *testing.T) {
	server := emcotest.Start(t, emcotest.Options{Token: "canary-target-1"})
	folder := t.TempDir()
	for name, text := range map[string]string{
		"token.txt": "canary-target-1\n",
		"emco-cfg.yaml": strings.ReplaceAll(strings.ReplaceAll("clm: {host: HOST, port: PORT}\n",
			"HOST", "127.0.0.1"), "PORT", strings.TrimPrefix(server.Address("clm"), "127.0.0.1:")),
		"target.yaml": `apiVersion: emco-chaos/v1
kind: Target
metadata: {name: test}
spec:
  driver: {kubernetes: {}}
  services:
    orchestrator: {url: ` + server.URL("orchestrator") + `, namespace: emco, labels: {app: orchestrator}}
    rsync: {address: "` + server.Address("rsync") + `"}
  credentials:
    token: {file: token.txt}
  settings:
    emcoctl: {config: {file: emco-cfg.yaml}}
`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, service := range []string{"orchestrator", "clm", "rsync"} {
		if code, out, errs := probe(t, "available", "--service", service, "--target", filepath.Join(folder, "target.yaml")); code != 0 {
			t.Errorf("%s: exit %d\n%s%s", service, code, out, errs)
		}
	}
	broken := write(t, "target.yaml", "token: [canary\n")
	if code, _, errs := probe(t, "available", "--service", "clm", "--target", broken); code != cli.Usage || strings.Contains(errs, "canary") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestErrorsOfTheWay(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	code, _, errs := probe(t, "serve", "--orchestrator", "http://127.0.0.1:1", "--listen", busy.Addr().String())
	if code != exitCodes[probes.Errored] || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit %d: %s", code, errs)
	}
	code, out, errs := probe(t, "available", "--service", "orchestrator", "--orchestrator", "http://127.0.0.1:1", "--token-env", "EMCO_NOT_SET")
	if code != exitCodes[probes.Errored] || !strings.Contains(out, "the token is empty: set environment variable EMCO_NOT_SET") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}
