package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// bin is the folder of the built commands.
var bin string

// TestMain builds the commands: the tests run what users run.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "emco-chaos-example-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	for name, source := range map[string]string{"emco-chaos": "../../cmd/emco-chaos", "emco-chaos-plugin-counter": "."} {
		build := exec.Command("go", "build", "-race", "-o", filepath.Join(folder, name), source)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n", name, err)
			return 1
		}
	}
	bin = folder
	return m.Run()
}

// cluster makes a cluster and returns its target file.
func cluster(t *testing.T, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	output, err := exec.Command(filepath.Join(bin, "emco-chaos-plugin-counter"), append([]string{"cluster", "--dir", folder}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return filepath.Join(folder, "target.yaml")
}

// emcoChaos runs emco-chaos with this plugin, and returns what it prints and
// its exit code.
func emcoChaos(t *testing.T, args ...string) (string, int) {
	t.Helper()
	command := exec.Command(filepath.Join(bin, "emco-chaos"), append(args, "--plugin", "counter")...)
	command.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir())
	output, err := command.CombinedOutput()
	if command.ProcessState == nil {
		t.Fatal(err)
	}
	return string(output), command.ProcessState.ExitCode()
}

// expect runs emco-chaos and checks its exit code and parts of its output.
func expect(t *testing.T, code int, parts []string, args ...string) {
	t.Helper()
	output, got := emcoChaos(t, args...)
	if got != code {
		t.Errorf("exit %d, want %d", got, code)
	}
	for _, part := range parts {
		if !strings.Contains(output, part) {
			t.Errorf("%q is not in the output", part)
		}
	}
	if t.Failed() {
		t.Fatalf("emco-chaos %s:\n%s", strings.Join(args, " "), output)
	}
}

// TestRun: the same command that tests EMCO tests this system, and its
// verdict can say no.
func TestRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args  []string
		code  int
		parts []string
	}{
		"remembers": {nil, 0, []string{"1 passed, 0 failed, 0 inconclusive, 0 errors"}},
		"forgets":   {[]string{"--forget"}, 1, []string{"the counter is gone", "0 passed, 1 failed, 0 inconclusive, 0 errors"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := cluster(t, test.args...)
			expect(t, test.code, test.parts, "run", "--all", "--target", target)
			expect(t, 0, []string{"0 counters removed"}, "clean", "--target", target)
		})
	}
}

func TestOtherCommands(t *testing.T) {
	t.Parallel()
	target := cluster(t)
	expect(t, 0, []string{"write-survives-a-kill", "--set back=30s"}, "list")
	expect(t, 0, []string{"plugin counter dev, 1 experiments"}, "version")
	expect(t, 0, []string{"write-survives-a-kill: valid, 4 steps"}, "validate", "write-survives-a-kill", "--target", target)
	expect(t, 0, []string{"kind: PodChaos", "app: counter"}, "render", "write-survives-a-kill", "--target", target)

	own := filepath.Join(t.TempDir(), "own.yaml")
	text := strings.NewReplacer("holds: 4", "hold: 4").Replace(string(experiment))
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, 2, []string{own + ":", `spec.steps.kept.probe.hold: the probe "hold" is not known`, "holds"}, "validate", "-f", own, "--target", target)
	expect(t, 2, []string{`there is no experiment nothing; write write-survives-a-kill`}, "validate", "nothing", "--target", target)

	settings := filepath.Join(filepath.Dir(target), "no-settings.yaml")
	data, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(data), "  # What only")
	if err := os.WriteFile(settings, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, 2, []string{"spec.settings.prefix: is missing from the target counter"}, "validate", "write-survives-a-kill", "--target", settings)
}

// TestNotByHand: a plugin that is started by hand says what it is.
func TestNotByHand(t *testing.T) {
	t.Parallel()
	output, err := exec.Command(filepath.Join(bin, "emco-chaos-plugin-counter")).CombinedOutput()
	if err == nil || !strings.Contains(string(output), "This binary is a plugin") {
		t.Errorf("%v: %s", err, output)
	}
	output, err = exec.Command(filepath.Join(bin, "emco-chaos-plugin-counter"), "dance").CombinedOutput()
	if err == nil || !strings.Contains(string(output), `the command "dance" is not known`) {
		t.Errorf("%v: %s", err, output)
	}
}
