package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

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
