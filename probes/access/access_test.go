package access_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/probes/access"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

func TestAccessOf(t *testing.T) {
	config := filepath.Join(t.TempDir(), "emco-cfg.yaml")
	if err := os.WriteFile(config, []byte("orchestrator: {host: o, port: 1}\ndcm: {host: d, port: 2}\nrsync: {host: r, port: 3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := map[string]any{"emcoctl": map[string]any{"config": map[string]any{"file": config}}}
	for name, test := range map[string]struct {
		target    target.Target
		endpoints map[emco.Service]string
		ingress   string
		rsync     string
	}{
		"its own": {
			target:    target.Target{Services: map[string]target.Service{"dcm": {URL: "http://x:1"}, "rsync": {Address: "y:2"}}},
			endpoints: map[emco.Service]string{emco.DCM: "http://x:1"}, rsync: "y:2",
		},
		"emcoctl's": {
			target:    target.Target{Settings: settings},
			endpoints: map[emco.Service]string{emco.Orchestrator: "http://o:1", emco.DCM: "http://d:2"}, rsync: "r:3",
		},
		"its own go before emcoctl's": {
			target:    target.Target{Settings: settings, Services: map[string]target.Service{"dcm": {URL: "http://x:1"}, "rsync": {Address: "y:2"}}},
			endpoints: map[emco.Service]string{emco.Orchestrator: "http://o:1", emco.DCM: "http://x:1"}, rsync: "y:2",
		},
		"its ingress goes before emcoctl's": {
			target:    target.Target{Settings: settings, Ingress: &target.Ingress{URL: "http://i:1"}},
			endpoints: map[emco.Service]string{}, ingress: "http://i:1", rsync: "r:3",
		},
	} {
		got, err := access.Of(&test.target)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !maps.Equal(got.Client.Endpoints, test.endpoints) || got.Client.Ingress != test.ingress || got.Setup.Rsync != test.rsync {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestAccessOfRefuses(t *testing.T) {
	for want, setting := range map[string]any{
		"write emcoctl: {config: {file: emco-cfg.yaml}}":     "emco-cfg.yaml",
		"settings.emcoctl.config: is missing":                map[string]any{},
		"settings.emcoctl.config: none.yaml: cannot be read": map[string]any{"config": map[string]any{"file": "none.yaml"}},
	} {
		_, err := access.Of(&target.Target{Name: "t", Settings: map[string]any{"emcoctl": setting}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestSettingsNameEveryResource: the schema and the client know the same names.
func TestSettingsNameEveryResource(t *testing.T) {
	var names []string
	all := map[string]any{}
	(&emco.Chosen{}).Fields(func(name string, _ *string) {
		names = append(names, name)
		all[access.SettingName(name)] = name
	})
	settings, problems := access.ReadSettings(&target.Target{Settings: map[string]any{"existing": all}})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	var got []string
	settings.Existing.Fields(func(_ string, value *string) { got = append(got, *value) })
	if !slices.Equal(got, names) {
		t.Errorf("got %q, want %q", got, names)
	}
}
