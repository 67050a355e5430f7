package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

// TestPluginKilled: a plugin that dies in the middle of a run costs the run
// its verdict, and nothing else.
func TestPluginKilled(t *testing.T) {
	t.Parallel()
	target := emulated(t)
	command := start(t, "run", "dig-instantiate-in-flight", "--target", target, "--plugin-dir", bin)
	command.await(t, "the call", event("instantiate", "sent"))
	plugin := command.plugin(t)
	killed := time.Now()
	if err := syscall.Kill(plugin, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := command.Wait()
	if code := command.ProcessState.ExitCode(); code != report.ExitError {
		t.Fatalf("exit %d (%v):\n%s", code, err, command.out)
	}

	records := command.records(t)
	at := func(what string, wanted func(journal.Record) bool) int {
		i := slices.IndexFunc(records, wanted)
		if i < 0 {
			t.Fatalf("the journal has no %s:\n%s", what, command.out)
		}
		return i
	}
	seen := at("death", func(r journal.Record) bool { return r.Kind == journal.Trouble })
	if late := records[seen].Time.Sub(killed); late > time.Second {
		t.Errorf("the death of the plugin was seen %v after the kill", late)
	}
	said := at("verdict", func(r journal.Record) bool { return r.Kind == journal.Verdict && r.Verdict == "Error" })
	removed := at("removal", event("hold", "removed"))
	if late := records[removed].Time.Sub(killed); late > 5*time.Second {
		t.Errorf("the hold was seen gone %v after the kill", late)
	}
	torn := at("teardown", event("teardown", "passed"))
	if !(removed < said && said < torn) {
		t.Errorf("removal, verdict, teardown are records %d, %d, %d", removed, said, torn)
	}
	if n := len(command.left(t)); n > 0 {
		t.Errorf("%d resources left: %v", n, command.left(t))
	}
	if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
		t.Errorf("something was left:\n%s", output)
	}
}

// plugin is the process of the plugin.
func (s *started) plugin(t *testing.T) int {
	t.Helper()
	var found []int
	for pid, line := range descendants(t, s.Process.Pid) {
		if strings.Contains(line, "emco-chaos-plugin-emco") {
			found = append(found, pid)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d plugins run, want 1", len(found))
	}
	return found[0]
}

// A plugin that dies when its run needs it no more, or cannot have it back, is
// there again for the next.
func TestPluginKilledAtTheEnd(t *testing.T) {
	t.Parallel()
	target := emulated(t)
	command := start(t, "run", "logical-cloud-instantiate-status-lost", "logical-cloud-terminate-status-lost", "--target", target, "--plugin-dir", bin)
	command.await(t, "the teardown", event("teardown", "started"))
	if err := syscall.Kill(command.plugin(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	err := command.Wait()
	if output := command.out.String(); !strings.Contains(output, "logical-cloud-terminate-status-lost: PASSED") {
		t.Errorf("the next run did not pass (%v):\n%s", err, output)
	}
	clean(t, target)
	if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
		t.Errorf("clean left something:\n%s", output)
	}
}

// left are the resources that were made and not removed, by the journal.
func (s *started) left(t *testing.T) []string {
	t.Helper()
	state := map[string]string{}
	for _, record := range s.records(t) {
		if record.Kind == journal.Resource {
			state[record.Anchor] = record.State
		}
	}
	var left []string
	for anchor, last := range state {
		if last != "removed" {
			left = append(left, anchor)
		}
	}
	return left
}

func clean(t *testing.T, target string) string {
	t.Helper()
	output, err := exec.Command(filepath.Join(bin, "emco-chaos"), "clean", "--target", target, "--plugin-dir", bin).CombinedOutput()
	if err != nil {
		t.Fatalf("clean: %v\n%s", err, output)
	}
	return string(output)
}

// TestKilled: a killed emco-chaos leaves no process behind, and clean takes
// back what it made.
func TestKilled(t *testing.T) {
	t.Parallel()
	target := emulated(t)
	command := start(t, "run", "dig-instantiate-in-flight", "--target", target, "--plugin-dir", bin)
	command.await(t, "the call", event("instantiate", "sent"))
	below := descendants(t, command.Process.Pid)
	if len(below) < 8 {
		t.Fatalf("only %d processes below the command: %v", len(below), below)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	running := func() (lines []string) {
		for pid, line := range below {
			if alive(pid) {
				lines = append(lines, line)
			}
		}
		return lines
	}
	for len(running()) > 0 && ctx.Err() == nil {
		// Nobody tells of the end of another's children.
		pause(ctx, 5*time.Millisecond)
	}
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("after %v these were still there: %v", took, running())
	}
	if output := clean(t, target); !strings.Contains(output, "of 1 attempts removed") || strings.Contains(output, "\nleft ") {
		t.Errorf("clean:\n%s", output)
	}
	if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
		t.Errorf("something was left:\n%s", output)
	}
}

// TestInterrupted: Ctrl-C once ends the run and cleans up.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	target := emulated(t)
	command := start(t, "run", "dig-instantiate-in-flight", "service-refused", "--target", target, "--plugin-dir", bin)
	command.await(t, "the hold", event("hold", "injected"))
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != report.ExitError {
		t.Errorf("exit %d:\n%s", code, command.out)
	}
	if !strings.Contains(command.out.String(), "0 passed, 0 failed, 0 inconclusive, 1 errors") {
		t.Errorf("the second experiment was run, or the first not counted:\n%s", command.out)
	}
	if left := command.left(t); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
		t.Errorf("something was left:\n%s", output)
	}
}

// TestDemoInterrupted: Ctrl-C ends the runs on both emulated EMCOs, and is told once.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	folder, out := t.TempDir(), &bytes.Buffer{}
	command := exec.Command(filepath.Join(bin, "emco-chaos"), "demo", "dig-instantiate-in-flight", "dig-terminate-in-flight", "--dir", folder)
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for holds := 0; holds < 2; pause(ctx, 5*time.Millisecond) {
		if ctx.Err() != nil {
			t.Fatalf("%d of 2 calls were held:\n%s", holds, out)
		}
		journals, _ := filepath.Glob(filepath.Join(folder, "journals", "*"))
		holds = 0
		for _, path := range journals {
			if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(`"event":"injected"`)) {
				holds++
			}
		}
	}
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	if code := command.ProcessState.ExitCode(); code != report.ExitError {
		t.Errorf("exit %d:\n%s", code, out)
	}
	text := out.String()
	if !strings.Contains(text, "0 passed, 0 failed, 0 inconclusive, 2 errors") || strings.Count(text, "interrupted: ending the run") != 1 {
		t.Errorf("it told\n%s", text)
	}
}

// TestLeftAlone: a terminal that hangs up ends the run as Ctrl-C does, and a run
// whose output nobody reads any more goes on to its end.
func TestLeftAlone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		leave   func(command *started, reader *os.File) error
		verdict string
	}{
		"the terminal hangs up": {
			leave:   func(command *started, _ *os.File) error { return command.Process.Signal(syscall.SIGHUP) },
			verdict: "Error",
		},
		"nobody reads": {
			leave:   func(_ *started, reader *os.File) error { return reader.Close() },
			verdict: "Passed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := emulated(t)
			reader, words, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer reader.Close()
			defer words.Close()
			// Where hanging up is ignored, as below nohup, what is started
			// ignores it too, unless somebody here is notified of it.
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			command := startTo(t, words, "run", "dig-instantiate-in-flight", "--target", target, "--plugin-dir", bin)
			if err := words.Close(); err != nil {
				t.Fatal(err)
			}
			command.await(t, "the hold", event("hold", "injected"))
			if err := test.leave(command, reader); err != nil {
				t.Fatal(err)
			}
			_ = command.Wait()
			// What could not be printed is an error of its own.
			if code := command.ProcessState.ExitCode(); code != report.ExitError {
				t.Errorf("exit %d, %v", code, command.ProcessState)
			}
			records := command.records(t)
			if last := records[len(records)-1]; last.Kind != journal.End || last.Verdict != test.verdict {
				t.Errorf("the run ended with %+v", last)
			}
			if left := command.left(t); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			if output := clean(t, target); !strings.Contains(output, "0 resources of 0 attempts removed") {
				t.Errorf("something was left:\n%s", output)
			}
		})
	}
}
