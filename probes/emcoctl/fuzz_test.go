package emcoctl_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/emcoctl"
)

// FuzzParse: whatever is read can be sent, to a path of EMCO's, and whatever
// is not is told in lines that can be shown.
func FuzzParse(f *testing.F) {
	f.Add(strings.ReplaceAll(two, "{{ .Project }}", "p"))
	f.Add(laughs())
	f.Add("version: emco/v2\nresourceContext: {anchor: projects/p/logical-clouds/l/terminate}\n---\n&a [*a]\n")
	f.Add("version: emco/v2\nresourceContext: {anchor: projects}\nmetadata: {name: ..}\nfiles: [a, ../b]\n")
	f.Fuzz(func(t *testing.T, text string) {
		folder := files(t, map[string]string{"r.yaml": text})
		resources, err := emcoctl.Read(emcoctl.Sources{Files: []string{filepath.Join(folder, "r.yaml")}, WithoutAttachments: true})
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, folder) || strings.ContainsAny(line, "\x1b\r\x00") {
					t.Errorf("bad line %q", line)
				}
			}
		}
		for _, resource := range resources {
			if _, err := json.Marshal(resource.Post().JSON); err != nil {
				t.Errorf("cannot be sent: %v", err)
			}
			for _, anchor := range []string{resource.Anchor, resource.Own()} {
				if anchor != "" && emco.CheckAnchor(anchor) != nil {
					t.Errorf("anchor %q", anchor)
				}
			}
			if (resource.Call() == "") != (resource.Own() != "") {
				t.Errorf("%q is neither a call nor a resource, or both", resource.Anchor)
			}
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add("orchestrator: {host: h, port: 1}\ndcm:\n  host: ::1\n  port: 2\n")
	f.Add("ingress: {host: h, port: 80}\n")
	f.Fuzz(func(t *testing.T, text string) {
		config, err := emcoctl.ParseConfig("c.yaml", []byte(text))
		if err != nil {
			return
		}
		if _, err := emco.New(config.Config); err != nil {
			t.Errorf("%q: no client can be made: %v", text, err)
		}
	})
}
