package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// TestTheTokenIsNowhere: a token gets from where it lies to EMCO, and into
// nothing that is written or shown, in a run that passes and in one that EMCO
// lets nothing do.
func TestTheTokenIsNowhere(t *testing.T) {
	const canary = "canary-5d41402abc4b2a76"
	file := emulated(t, "--token", canary)
	folder := filepath.Dir(file)

	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	byName := bytes.Replace(text, []byte("file: token.txt"), []byte("env: EMCO_TOKEN"), 1)
	if bytes.Equal(byName, text) {
		t.Fatalf("the target has no token file:\n%s", text)
	}
	env := filepath.Join(folder, "target-env.yaml")
	if err := os.WriteFile(env, byName, 0o600); err != nil {
		t.Fatal(err)
	}

	run := func(target, token string, want int) {
		t.Helper()
		t.Setenv("EMCO_TOKEN", token)
		command := start(t, "run", "dig-instantiate-in-flight", "--target", target, "--plugin-dir", bin)
		_ = command.Wait()
		if code := command.ProcessState.ExitCode(); code != want {
			t.Errorf("exit %d, want %d:\n%s", code, want, command.out)
		}
		for _, secret := range []string{canary, "wrong-" + canary[7:]} {
			if strings.Contains(command.out.String(), secret) {
				t.Errorf("the output has the token:\n%s", command.out)
			}
			if journal, err := os.ReadFile(command.journal); err != nil || bytes.Contains(journal, []byte(secret)) {
				t.Errorf("the journal has the token, or is not there: %v", err)
			}
		}
	}
	run(file, "", report.ExitPassed)
	run(env, canary, report.ExitPassed)
	run(env, "wrong-"+canary[7:], report.ExitError)

	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || entry.Name() == "token.txt" {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(canary)) {
			t.Errorf("%s has the token", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
