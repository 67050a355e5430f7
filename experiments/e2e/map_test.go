package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// TestMap leads calls from back end to back end on real pods, also one that comes
// while another is under way: a death after the state write is no finding.
func TestMap(t *testing.T) {
	s := here(t)
	for _, test := range []struct{ call, point, backEnds string }{
		{"dig.terminate", "dig-terminate-instantiated-rsync-mongo-done", "mongo,rsync"},
		{"dig.stop", "dig-stop-instantiating-etcd-mongo-done", "mongo,etcd"},
	} {
		t.Run(test.call, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "map")
			_, code := s.chaos(t, "map", test.call, "--points", test.point+"$", "--longest", "2", "--back-ends", test.backEnds, "--out", folder, "--target", s.target)
			known, err := crashmap.Load(folder)
			if err != nil || known == nil || code != 0 {
				t.Fatalf("exit code %d, %v", code, err)
			}
			if got := known.Starts[0].Find(test.point); got == nil || got.Consequence != crashmap.ByItself {
				t.Errorf("it has %+v", known.Starts[0])
			}
			// Each stop was a real one: the call hung until the kill.
			for _, records := range byRun(readJournal(t, filepath.Join(folder, "journal.jsonl"))) {
				compiled := records[0].Plan
				if compiled.Control {
					continue
				}
				for _, claim := range verdict.Read(compiled, records).Claims() {
					if !claim.Holds {
						t.Errorf("%s: %s: %s", compiled.Experiment, claim.Text, claim.Missing)
					}
				}
			}
		})
	}
	s.clean(t)
}

// mapped makes a crash map by a Run: a death between rsync's work and the state
// write is a finding, and the experiment that the Run keeps replays it.
func (s *site) mapped(t *testing.T) {
	s.apply(t, "{apiVersion: emco-chaos.io/v1alpha1, kind: Run, metadata: {name: map}, spec: {map: {calls: [dig.terminate], points: rsync-done$, longest: 1}}}")
	status := s.finished(t, "map", 10*time.Minute)
	if status.Verdict != "Failed" || status.Map == nil || len(status.Map.Findings) != 1 || status.Map.Findings[0].Consequence != string(crashmap.EndsFailed) || status.Map.Covered != 1 {
		t.Fatalf("the Run is %+v", status)
	}
	replay, err := s.kubectl(t, "", "get", "configmap", status.Map.ConfigMap, "-o", `jsonpath={.data.dig-terminate-instantiated-rsync-done\.yaml}`)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "replay.yaml")
	if err := os.WriteFile(file, []byte(replay), 0o600); err != nil {
		t.Fatal(err)
	}
	// The controller looks once more for what the map has left.
	eventually(t, time.Minute, s.unheld)
	if printed, code := s.chaos(t, "run", "-f", file, "--target", s.target); code != 1 || !strings.Contains(printed, "TerminateFailed") {
		t.Errorf("the replay ended with %d: %s", code, printed)
	}
	eventually(t, time.Minute, s.removed)
}
