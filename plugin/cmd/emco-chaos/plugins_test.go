package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/host"
)

// TestPlugins: every plugin that is found is listed, and what is wrong with a
// broken one.
func TestPlugins(t *testing.T) {
	t.Parallel()
	folder, first := t.TempDir(), t.TempDir()
	link := func(folder, name string) {
		if err := os.Symlink(filepath.Join(bin, host.Prefix+"emco"), filepath.Join(folder, host.Prefix+name)); err != nil {
			t.Fatal(err)
		}
	}
	link(first, "emco")
	link(folder, "emco")
	link(folder, "other")
	for name, mode := range map[string]os.FileMode{"broken": 0o755, "plain": 0o644} {
		if err := os.WriteFile(filepath.Join(folder, host.Prefix+name), []byte("#!/bin/sh\necho hello\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	list := func(args ...string) string {
		command := exec.Command(filepath.Join(bin, "emco-chaos"), append([]string{"plugins"}, args...)...)
		command.Env = []string{"PATH=" + first + string(os.PathListSeparator) + folder + ":/usr/bin:/bin"}
		output, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, output)
		}
		return string(output)
	}
	sum, err := host.Checksum(filepath.Join(bin, host.Prefix+"emco"))
	if err != nil {
		t.Fatal(err)
	}
	var plugins []foundPlugin
	if err := json.NewDecoder(bytes.NewBufferString(list("-o", "json", "--plugin-dir", folder))).Decode(&plugins); err != nil {
		t.Fatal(err)
	}
	byName := map[string]foundPlugin{}
	for _, one := range plugins {
		byName[one.Name] = one
	}
	if len(plugins) != 4 {
		t.Errorf("%d plugins: %+v", len(plugins), plugins)
	}
	if emco := byName["emco"]; emco.Error != "" || emco.SHA256 != sum || emco.Contract != 1 || emco.Experiments < 3 || emco.Version == "" {
		t.Errorf("emco: %+v", emco)
	}
	for name, want := range map[string]string{
		"broken": `it printed "hello"`,
		"plain":  "chmod +x",
		"other":  `it says that its name is "emco"`,
	} {
		if got := byName[name].Error; !strings.Contains(got, want) {
			t.Errorf("%s: %q does not say %q", name, got, want)
		}
	}
	// Beside the command, then on PATH: the first of a name is used.
	text := list()
	for _, want := range []string{
		filepath.Join(bin, host.Prefix+"emco") + "\n",
		filepath.Join(first, host.Prefix+"emco") + " (not used: another emco is found first)\n",
		sum, "broken: start the plugin ", "plain: ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestNoPlugins(t *testing.T) {
	t.Parallel()
	output, err := exec.Command(filepath.Join(bin, "emco-chaos"), "plugins", "--plugin-dir", t.TempDir()).CombinedOutput()
	if err != nil || !strings.Contains(string(output), "no plugin is found; put a file emco-chaos-plugin-NAME") {
		t.Errorf("%v: %s", err, output)
	}
	output, err = exec.Command(filepath.Join(bin, "emco-chaos"), "plugins", "--plugin-dir", filepath.Join(t.TempDir(), "nothing")).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "look for plugins: open ") {
		t.Errorf("%v: %s", err, output)
	}
}

// TestSchemaCommand: the schema that the plugin has is the one of the files.
func TestSchemaCommand(t *testing.T) {
	t.Parallel()
	output, err := exec.Command(filepath.Join(bin, "emco-chaos"), "schema", "--plugin-dir", bin).Output()
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "..", "..", "experiments", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(output, want) {
		t.Errorf("experiments/schema.json is out of date: emco-chaos schema > experiments/schema.json")
	}
}
