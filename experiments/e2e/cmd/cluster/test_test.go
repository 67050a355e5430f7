package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/experiments/e2e/cluster"
)

// A cluster that is up is not taken from under those who use it: whoever finds
// it is told what takes it down.
func TestClear(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	run := trial{errs: &bytes.Buffer{}}
	if err := run.clear(t.Context(), "trial", folder); err != nil {
		t.Errorf("a folder with no cluster: %v", err)
	}
	// Of a cluster this process is one.
	about, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		t.Skip(err)
	}
	const startField = 19
	_, after, _ := strings.Cut(string(about), ") ")
	for file, content := range map[string]string{
		"cluster.json":        `{"name":"trial"}`,
		"processes/etcd.json": fmt.Sprintf(`{"name":"etcd","pid":%d,"started":%s}`, os.Getpid(), strings.Fields(after)[startField]),
		"processes/edge.json": fmt.Sprintf(`{"name":"edge","pid":%d,"started":1}`, os.Getpid()),
	} {
		path := filepath.Join(folder, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), fs.FileMode(0o644)); err != nil {
			t.Fatal(err)
		}
	}
	err = run.clear(t.Context(), "trial", folder)
	for _, want := range []string{"(etcd)", "go -C experiments/e2e run ./cmd/cluster down --name trial --dir " + folder} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := cluster.Open(folder); err != nil {
		t.Errorf("the cluster was touched: %v", err)
	}
}
