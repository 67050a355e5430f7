package e2e

import (
	"path/filepath"
	"testing"

	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// TestMap leads a call from back end to back end on real pods: a death between
// rsync's work and the state write is a finding, one after the state write is not.
func TestMap(t *testing.T) {
	s := here(t)
	folder := filepath.Join(t.TempDir(), "map")
	_, code := s.chaos(t, "map", "dig.terminate", "--points", "instantiated-(rsync-done|rsync-mongo-done)$", "--longest", "2",
		"--back-ends", "rsync,mongo", "--out", folder, "--target", s.target)
	known, err := crashmap.Load(folder)
	if err != nil || known == nil || code != 1 {
		t.Fatalf("exit code %d, %v", code, err)
	}
	for name, want := range map[string]crashmap.Consequence{"rsync-done": crashmap.EndsFailed, "rsync-mongo-done": crashmap.ByItself} {
		got := known.Starts[0].Find("dig-terminate-instantiated-" + name)
		if got == nil || got.Consequence != want || got.Replayed != got.Replays {
			t.Errorf("%s is %+v, and must be %s", name, got, want)
		}
	}
	// Each stop was a real one: the call hung until the kill.
	for _, records := range byRun(readJournal(t, filepath.Join(folder, "journal.jsonl"))) {
		compiled := records[0].Plan
		if compiled.Control {
			continue
		}
		for _, claim := range verdict.Claims(compiled, records) {
			if !claim.Holds {
				t.Errorf("%s: %s: %s", compiled.Experiment, claim.Text, claim.Missing)
			}
		}
	}
	s.clean(t)
}
