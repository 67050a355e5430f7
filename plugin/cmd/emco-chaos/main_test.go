package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/host"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/plugin/run"
	"github.com/emco-chaos/emco-chaos/probes/target"
	"github.com/spf13/cobra"
)

// bin is the folder of the built commands.
var bin string

// TestMain builds the commands: the tests run what users run.
func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "emco-chaos-bin-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder)
	// The emulated EMCO has tests of its own; with the race detector each of
	// its processes would take a second more to end.
	for _, args := range [][]string{
		{"-race", "../...", "../../../probes/cmd/emco-probe"},
		{"../../../probes/cmd/emco-emulator"},
	} {
		build := exec.Command("go", append([]string{"build", "-o", folder + "/"}, args...)...)
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintf(os.Stderr, "build the commands: %v\n", err)
			return 1
		}
	}
	bin = folder
	// The tests wait far more than they work.
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set("8"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// emulated makes an emulated EMCO and returns its target file.
func emulated(t *testing.T, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	command := exec.Command(filepath.Join(bin, "emco-emulator"), append([]string{"cluster", "--dir", folder, "--app-time", "50ms", "--restart-after", "500ms"}, args...)...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return filepath.Join(folder, "target.yaml")
}

// session is one for the tests that use the command's parts.
func newSession(t *testing.T) *session {
	return &session{out: t.Output(), errs: t.Output(), plugin: run.PluginOptions{Name: "emco", Directory: bin, Options: host.Options{Log: t.Output()}}}
}

// compiled compiles an experiment for a target by the built plugin.
func compiled(t *testing.T, s *session, target *target.Target, experiment string, set ...string) *plan.Plan {
	t.Helper()
	plugin, err := s.start(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	defer plugin.Close()
	var choice chosen
	command := &cobra.Command{}
	choice.flags(s, command)
	for _, pair := range set {
		if err := command.Flags().Set("set", pair); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{experiment}
	if filepath.Ext(experiment) == ".yaml" {
		choice.files, names = names, nil
	}
	plans, err := choice.compile(t.Context(), plugin, names)
	if err != nil {
		t.Fatal(err)
	}
	return plans[0]
}

// started is the command as a running process.
type started struct {
	*exec.Cmd
	out     *bytes.Buffer
	journal string
}

// start starts emco-chaos with a journal of its own.
func start(t *testing.T, args ...string) *started {
	t.Helper()
	return startTo(t, nil, args...)
}

// startTo starts the command with a file for its words; nil keeps them.
func startTo(t *testing.T, words *os.File, args ...string) *started {
	t.Helper()
	s := &started{out: &bytes.Buffer{}, journal: filepath.Join(t.TempDir(), "journal.jsonl")}
	s.Cmd = exec.Command(filepath.Join(bin, "emco-chaos"), append(args, "--journal", s.journal)...)
	s.Stdout, s.Stderr = s.out, s.out
	if words != nil {
		s.Stdout, s.Stderr = words, words
	}
	// A killed command's children may hold its output a little longer.
	s.WaitDelay = 5 * time.Second
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill(); _ = s.Wait() })
	return s
}

// await follows the journal until a record is as wanted.
func (s *started) await(t *testing.T, what string, wanted func(journal.Record) bool) journal.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		for _, record := range s.records(t) {
			if wanted(record) {
				return record
			}
		}
		// A file has no event to wait for.
		pause(ctx, 2*time.Millisecond)
	}
	t.Fatalf("%s did not come:\n%s", what, s.out)
	return journal.Record{}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *started) records(t *testing.T) []journal.Record {
	t.Helper()
	file, err := os.Open(s.journal)
	if err != nil {
		return nil
	}
	defer file.Close()
	records, err := journal.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func event(step, name string) func(journal.Record) bool {
	return func(r journal.Record) bool { return r.Kind == journal.Event && r.Step == step && r.Event == name }
}

// processes are all on this machine: the parent of each, and its command line.
func processes(t *testing.T) (parents map[int]int, lines map[int]string) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	parents, lines = map[int]int{}, map[int]string{}
	for _, entry := range entries {
		child, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.Open(filepath.Join("/proc", entry.Name(), "status"))
		if err != nil {
			continue
		}
		for scanner := bufio.NewScanner(stat); scanner.Scan(); {
			if text, found := strings.CutPrefix(scanner.Text(), "PPid:"); found {
				parents[child], _ = strconv.Atoi(strings.TrimSpace(text))
			}
		}
		stat.Close()
		line, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		lines[child] = strings.ReplaceAll(string(line), "\x00", " ")
	}
	return parents, lines
}

// descendants are the processes below one, with their command lines.
func descendants(t *testing.T, pid int) map[int]string {
	t.Helper()
	parents, lines := processes(t)
	below := map[int]string{}
	for grown := true; grown; {
		grown = false
		for child, parent := range parents {
			if _, known := below[child]; known {
				continue
			}
			if _, of := below[parent]; of || parent == pid {
				below[child], grown = lines[child], true
			}
		}
	}
	return below
}

// alive says whether a process runs; one that has ended and that nobody has
// waited for does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
