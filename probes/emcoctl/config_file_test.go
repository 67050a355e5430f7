package emcoctl_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

func TestParseConfig(t *testing.T) {
	for name, test := range map[string]struct {
		text      string
		endpoints map[emco.Service]string
		ingress   string
		rsync     string
	}{
		"the four": {
			text: "orchestrator:\n  host: emco.example\n  port: 30415\n  statusPort: 30416\nclm: {host: 192.0.2.1, port: 30461}\n" +
				"dcm: {host: \"::1\", port: 30477}\nrsync: {host: emco.example, port: 30431}\n",
			endpoints: map[emco.Service]string{
				emco.Orchestrator: "http://emco.example:30415", emco.CLM: "http://192.0.2.1:30461", emco.DCM: "http://[::1]:30477",
			},
			rsync: "emco.example:30431",
		},
		"any case, and one that is not there": {
			text:      "Orchestrator: {Host: h, Port: 1}\nhpaPlacement: {host: h, port: 2}\ngac: {host: localhost, port: 0}\n",
			endpoints: map[emco.Service]string{emco.Orchestrator: "http://h:1", "hpaplacement": "http://h:2"},
		},
		"an ingress goes before all": {
			text:    "ingress: {host: h, port: 80}\norchestrator: {host: o, port: 1}\n",
			ingress: "http://h:80",
		},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := emcoctl.ParseConfig("emco-cfg.yaml", []byte(test.text))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(config.Endpoints, test.endpoints) || config.Ingress != test.ingress || config.Rsync != test.rsync {
				t.Errorf("got %+v", config)
			}
			if _, err := emco.New(config.Config); err != nil {
				t.Errorf("no client can be made: %v", err)
			}
		})
	}
}

func TestParseConfigProblems(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "emco-cfg.yaml:1:1: names neither a microservice with a REST API nor an ingress; write orchestrator: {host: HOST, port: PORT}",
		"- a\n":                                  "emco-cfg.yaml:1:1: document 1: is not a mapping; write orchestrator",
		"rsync: {host: h, port: 1}\n":            "emco-cfg.yaml:1:1: names neither a microservice with a REST API nor an ingress",
		"orchestrtor: {host: h, port: 1}\n":      "emco-cfg.yaml:1:1: document 1: orchestrtor: is no microservice that emcoctl knows; did you mean orchestrator?",
		"dcm:\n  host: h\n":                      "emco-cfg.yaml:2:3: document 1: dcm: lacks its host or its port; write {host: HOST, port: PORT}",
		"dcm:\n  host: h\n  port: many\n":        `emco-cfg.yaml:3:9: document 1: dcm.port: "many" is no number from 0 to 65535`,
		"dcm:\n  host: http://h/v2\n  port: 1\n": "emco-cfg.yaml:2:9: document 1: dcm.host: is no host; write a name or an address alone",
		"dcm:\n  host: user@h\n  port: 1\n":      "emco-cfg.yaml:2:9: document 1: dcm.host: is no host",
		"dcm: {host: h, port: 1, token: t}\n":    "emco-cfg.yaml:1:25: document 1: dcm.token: is not known",
		"dcm: {host: h, port: 1}\ndcm: {host: h, port: 2}\n":      "emco-cfg.yaml:2:1: document 1: dcm: is there twice, first in line 1; keep one",
		"dcm: {host: h, port: 1}\n---\ndcm: {host: h, port: 1}\n": "emco-cfg.yaml:3:1: document 2: a second document begins here; keep one",
		"dcm: {host: h\n": "emco-cfg.yaml:",
	} {
		_, err := emcoctl.ParseConfig("emco-cfg.yaml", []byte(text))
		var problems document.Problems
		if !errors.As(err, &problems) {
			t.Errorf("%q: got %v, want problems", text, err)
			continue
		}
		if !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n got %s\nwant %s", text, err, want)
		}
	}
}

func TestReadConfigThatIsNotThere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := emcoctl.ReadConfig(missing); err == nil || !strings.Contains(err.Error(), missing+": cannot be read") {
		t.Errorf("got %v", err)
	}
	if _, err := emcoctl.ReadConfig(os.DevNull); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("got %v", err)
	}
}
