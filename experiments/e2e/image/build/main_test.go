package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestSameFromAnywhere builds the real image twice, the second time from a
// copy of the source that stands elsewhere and has no history.
func TestSameFromAnywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds all programs")
	}
	root := filepath.Join("..", "..", "..")
	elsewhere := t.TempDir()
	for _, name := range []string{"experiments", "plugin", "probes"} {
		if err := os.CopyFS(filepath.Join(elsewhere, name), source{os.DirFS(filepath.Join(root, name))}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(elsewhere, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, other := made(t, root), made(t, elsewhere)
	if one != other {
		t.Errorf("built in two places it is\n%s\nand\n%s", one, other)
	}
}

// made is what the command says of the image that it builds of the source.
func made(t *testing.T, source string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "new", "image.tar")
	var out bytes.Buffer
	err := build(t.Context(), options{source: source, version: "v7", architecture: runtime.GOARCH, output: file}, &out)
	if err != nil {
		t.Fatal(err)
	}
	said, found := strings.CutPrefix(out.String(), file+" ")
	if !found || !strings.HasPrefix(said, "emco-chaos:v7 sha256:") {
		t.Fatalf("it says %q", out.String())
	}
	return said
}

func TestBuildFails(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	file := filepath.Join(t.TempDir(), "image.tar")
	err := build(t.Context(), options{source: t.TempDir(), version: "v7", architecture: runtime.GOARCH, output: file}, &out)
	if err == nil || !strings.Contains(err.Error(), "build the programs") || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("the error is %v; want what the compiler said", err)
	}
	if _, err := os.Stat(file); err == nil || out.Len() > 0 {
		t.Errorf("it wrote an archive, or said so: %q", out.String())
	}
}

// source is a folder of the repository without what is not built: other
// modules, and links.
type source struct{ fs.FS }

// ReadDir lists what is to be copied.
func (s source) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	if err != nil {
		return nil, err
	}
	var kept []fs.DirEntry
	for _, entry := range entries {
		if entry.Name() == "testdata" || entry.Name() == "e2e" {
			continue
		}
		kept = append(kept, entry)
	}
	return kept, nil
}
