package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/plugin/crashmap"
	"github.com/emco-chaos/emco-chaos/plugin/report"
)

var mapKills = flag.Int("map-kills", 1, "how often TestMap kills its map at a random moment, besides once in its first point")

// longestMapLife bounds the random moment of a kill: a point takes less, a
// finding more.
const longestMapLife = 25 * time.Second

// mapped makes a map, and returns what it printed with the exit code.
func mapped(t *testing.T, target, folder string, args ...string) (string, int) {
	t.Helper()
	command := exec.Command(filepath.Join(bin, "emco-chaos"), append([]string{"map", "--target", target, "--plugin-dir", bin, "--out", folder}, args...)...)
	output, err := command.CombinedOutput()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed:
		return string(output), exit.ExitCode()
	case err != nil:
		t.Fatal(err)
	}
	return string(output), 0
}

func loadMap(t *testing.T, folder string) *crashmap.Map {
	t.Helper()
	known, err := crashmap.Load(folder)
	if err != nil || known == nil {
		t.Fatalf("there is no map: %v", err)
	}
	return known
}

// TestMap: killed between rsync's work and its own state write, EMCO does not
// recover from a terminate. The map finds that, and goes on after it was killed
// itself; what it wrote replays the finding. Between two of its commands the
// ports of its EMCO are free, so that no other one may look for ports meanwhile.
func TestMap(t *testing.T) {
	target, folder := emulated(t), filepath.Join(t.TempDir(), "map")
	points := []string{"dig.terminate", "--points", "terminate-instantiated-(mongo|rsync-done)$", "--longest", "1"}

	begin := func() *exec.Cmd {
		command := exec.Command(filepath.Join(bin, "emco-chaos"), append([]string{"map", "--target", target, "--plugin-dir", bin, "--out", folder}, points...)...)
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	command := begin()
	deadline := time.Now().Add(2 * time.Minute)
	for data := []byte{}; !bytes.Contains(data, []byte(`"runs": 3`)); data, _ = os.ReadFile(filepath.Join(folder, "map.json")) {
		if time.Now().After(deadline) {
			t.Fatal("no point was tried")
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	before := loadMap(t, folder)
	for i := range *mapKills {
		command := begin()
		pause(t.Context(), time.Duration(rand.New(rand.NewPCG(*killSeed, uint64(i))).Int64N(int64(longestMapLife))))
		below := descendants(t, command.Process.Pid)
		_ = command.Process.Kill() // it may have ended
		_ = command.Wait()
		noneLeft(t, folder, below)
	}

	printed, code := mapped(t, target, folder, points...)
	if code != report.ExitFailed || !strings.Contains(printed, "ends failed: status says TerminateFailed (Deleted 4), not Terminated") {
		t.Fatalf("it ended with %d\n%s", code, printed)
	}
	known := loadMap(t, folder).Starts[0]
	names := []string{}
	for _, point := range known.Points {
		names = append(names, point.Name)
	}
	if want := []string{"dig-terminate-instantiated-mongo", "dig-terminate-instantiated-rsync-done"}; !slices.Equal(names, want) {
		t.Errorf("it has tried %q", names)
	}
	if now, first := known.Points[0], before.Starts[0].Points[0]; now.Consequence != crashmap.NothingDone || now.Run != first.Run {
		t.Errorf("what was known is tried again, or wrong: %+v, %+v", now, first)
	}
	if found := known.Points[1]; found.Consequence != crashmap.EndsFailed || found.Replayed != 3 || !strings.HasPrefix(found.WayOut, "the teardown (") {
		t.Errorf("it has found %+v", found)
	}

	if cleaned := clean(t, target); !strings.Contains(cleaned, "0 resources of 0 attempts removed") {
		t.Errorf("something was left\n%s", cleaned)
	}
	replay := exec.Command(filepath.Join(bin, "emco-chaos"), "run", "-f", filepath.Join(folder, known.Points[1].File), "--target", target, "--plugin-dir", bin)
	if output, err := replay.CombinedOutput(); replay.ProcessState.ExitCode() != report.ExitFailed || !strings.Contains(string(output), "TerminateFailed") {
		t.Errorf("%v\n%s", err, output)
	}

	printed, code = mapped(t, target, folder, append(points, "--against", folder, "-o", "json")...)
	if known := new(crashmap.Map); code != report.ExitFailed || json.Unmarshal([]byte(printed), known) != nil || known.Runs != loadMap(t, folder).Runs ||
		!strings.Contains(printed, `"differences":{"same":[{"name":"dig-terminate-instantiated-rsync-done"`) {
		t.Errorf("made again it ends with %d\n%s", code, printed)
	}
	if printed, _ = mapped(t, target, folder, append(points, "--against", folder)...); !strings.Contains(printed, "SAME: dig-terminate-instantiated-rsync-done, ends failed") {
		t.Errorf("against itself it is\n%s", printed)
	}
}

// TestMapShares: one kill in three calls, each on a group of its own, covers the point
// of each. What EMCO does not recover from is found as by runs of one call.
func TestMapShares(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "map")
	printed, code := mapped(t, emulated(t), folder, "dig.instantiate", "dig.terminate", "--share", "--points", "(-etcd|terminate-instantiated-rsync-done)$", "--longest", "1")
	if code != report.ExitFailed || !strings.Contains(printed, "4 of 4 points covered by 11 runs, 1 findings at 1 of them") {
		t.Fatalf("it ended with %d\n%s", code, printed)
	}
	runs := map[string]int{}
	for _, start := range loadMap(t, folder).Starts {
		for _, point := range start.Points {
			if runs[point.Run]++; point.Consequence.Finding() != strings.HasSuffix(point.Name, "-rsync-done") {
				t.Errorf("%s: %s", point.Name, point.Consequence)
			}
		}
	}
	if len(runs) != 2 {
		t.Errorf("runs of points: %v", runs)
	}
}

// TestMapNamed: calls that a map has when they are named. A stop is mapped while an
// instantiate is under way, a migration leads to another group. Killed between what
// rsync is told and its own state write, EMCO takes neither any more.
func TestMapNamed(t *testing.T) {
	t.Parallel()
	const objects = "Deployment adservice, Service adservice, Deployment currencyservice, Service currencyservice"
	for call, test := range map[string]struct {
		points     string
		begin, end crashmap.View
		found      map[string]crashmap.Consequence
	}{
		"dig.stop": {
			"etcd-mongo", crashmap.View{State: "Instantiating", Edge: "nothing"}, crashmap.View{State: "InstantiateFailed, InstantiateStopped", Edge: "nothing"},
			map[string]crashmap.Consequence{"etcd-mongo": crashmap.Stuck, "etcd-mongo-done": crashmap.ByItself},
		},
		"dig.stop-terminate": {
			"etcd-mongo", crashmap.View{State: "Terminating", Edge: objects}, crashmap.View{State: "TerminateFailed, TerminateStopped", Edge: objects},
			map[string]crashmap.Consequence{"etcd-mongo": crashmap.Stuck, "etcd-mongo-done": crashmap.ByItself},
		},
		"dig.migrate": {
			"rsync-mongo", crashmap.View{State: "Approved", Edge: "of what it replaces: " + objects}, crashmap.View{State: "Instantiated", Edge: objects},
			map[string]crashmap.Consequence{"rsync-mongo": crashmap.Behind, "rsync-mongo-done": crashmap.Stuck},
		},
	} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), "map")
			printed, code := mapped(t, emulated(t), folder, call, "--points", test.points, "--longest", "2")
			known := loadMap(t, folder).Starts[0]
			if code != report.ExitFailed || *known.Begin != test.begin || *known.End != test.end {
				t.Fatalf("it ended with %d, from %+v to %+v\n%s", code, known.Begin, known.End, printed)
			}
			for name, want := range test.found {
				found := known.Find(known.Name + "-" + name)
				if found == nil || found.Consequence != want || found.Replayed != found.Replays {
					t.Errorf("%s is %+v", name, found)
				}
			}
		})
	}
}

func TestMapMistakes(t *testing.T) {
	t.Parallel()
	target := emulated(t)
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "map.json"), []byte(`{"backEnds": ["mongo"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		says string
	}{
		{[]string{"dig.instanciate"}, "dig.instanciate is no call that can be mapped; did you mean dig.instantiate?"},
		{[]string{"--from", "Created", "dig.terminate"}, "none of the calls starts from Created"},
		{[]string{"--points", "("}, "points of the map: error parsing regexp"},
		{[]string{"--back-ends", "mysql"}, "back ends of the map: the target has no service mysql"},
		{[]string{"--longest", "-1"}, "longest is a number from 1 on"},
		{[]string{"--against", t.TempDir()}, "--against: there is no crash map in"},
		{[]string{"--out", other}, "is of other back ends (mongo); name another folder"},
	} {
		if printed, code := mapped(t, target, filepath.Join(t.TempDir(), "map"), test.args...); code != report.ExitUsage || !strings.Contains(printed, test.says) {
			t.Errorf("%q ends with %d: %s", test.args, code, printed)
		}
	}
	printed, code := mapped(t, target, filepath.Join(t.TempDir(), "map"), "--budget", "1ns")
	if code != report.ExitInconclusive || !strings.Contains(printed, "the time for runs is over; the same command goes on") {
		t.Errorf("without time it ends with %d: %s", code, printed)
	}
	printed, code = mapped(t, target, filepath.Join(t.TempDir(), "map"), "--dry-run", "dig.terminate", "--longest", "2")
	if code != 0 || !strings.Contains(printed, "1 calls and states, at most 12 points: at most 14 runs") {
		t.Errorf("a dry run ends with %d: %s", code, printed)
	}
}
