package crashpoint_test

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments"
	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var update = flag.Bool("update", false, "write the golden files anew")

var options = crashpoint.Options{Reach: 300 * time.Millisecond, First: 400 * time.Millisecond, Settle: 500 * time.Millisecond, Converge: 30 * time.Second}

// points are one of each shape.
func points(start crashpoint.Start) []crashpoint.Point {
	return []crashpoint.Point{
		{Start: start, Path: []string{"mongo"}},
		{Start: start, Path: []string{"rsync"}, After: true},
		{Start: start, Path: []string{"rsync", "mongo"}, After: true},
		{Start: start, Path: []string{"mongo", "etcd", "mongo"}},
		{Start: start, Path: []string{"mongo", "rsync", "mongo", "rsync", "mongo", "rsync", "mongo", "rsync"}, After: true},
		{Start: start, Path: []string{"etcd"}, Request: 12, After: true},
		{Start: start, Moment: 40 * time.Millisecond, Number: 12},
		{Start: start, Number: 13},
	}
}

// TestExperimentsCompile: what is written is an experiment without a mistake, and
// none that could pass without its faults.
func TestExperimentsCompile(t *testing.T) {
	compiles := func(name string, text []byte, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if !document.IsName(name) {
			t.Errorf("%s is too long for a name", name)
		}
		if err := compile(t, name, text); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
	for _, start := range crashpoint.Starts() {
		call, known := emco.CallNamed(start.Call)
		if !known || call.Opposite != start.Undo || string(call.Service) != start.Service {
			t.Errorf("%s is answered by %s and undone by %q, not as the table of calls has it: %+v", start, start.Service, start.Undo, call)
		}
		text, err := start.Reference(options)
		compiles(start.Name()+"-reference", text, err)
		for _, point := range points(start) {
			for _, more := range []crashpoint.Options{{}, {Judge: true}, {Restart: "rsync"}} {
				more.Reach, more.Settle, more.Converge = options.Reach, options.Settle, options.Converge
				text, err := point.Experiment(more)
				compiles(point.Name(), text, err)
			}
		}
	}
	text, err := crashpoint.RestartOf("etcd")
	compiles("restart-etcd", text, err)
}

// compile compiles an experiment for a target with EMCO's services.
func compile(t *testing.T, name string, text []byte) error {
	t.Helper()
	emulated, problems := target.Read(filepath.Join("..", "testdata", "target.yaml"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	_, problems = experiments.Compile(experiments.Source{File: name + ".yaml", Data: text}, emulated, nil)
	return problems.Err()
}

// TestGolden: the experiment of a relay, one whose call comes while another is under
// way, and one with calls that share a kill, as a reader gets them.
func TestGolden(t *testing.T) {
	starts := crashpoint.Starts()
	stop := slices.IndexFunc(starts, func(s crashpoint.Start) bool { return s.Call == "dig.stop" })
	var sharing []crashpoint.Start
	for _, start := range starts {
		if starts[0].Shares(start) && !start.Named {
			sharing = append(sharing, start)
		}
	}
	for _, test := range []struct {
		point  crashpoint.Point
		others []crashpoint.Member
	}{
		{crashpoint.Point{Start: starts[0], Path: []string{"rsync", "mongo"}, After: true}, nil},
		{crashpoint.Point{Start: starts[stop], Path: []string{"etcd"}, After: true}, nil},
		{crashpoint.Point{Start: starts[0], Path: []string{"etcd", "mongo"}}, crashpoint.Members(sharing)},
	} {
		text, err := test.point.Experiment(options, test.others...)
		if err != nil {
			t.Fatal(err)
		}
		if err := compile(t, test.point.Name(), text); err != nil {
			t.Error(err)
		}
		file := filepath.Join("testdata", test.point.Name()+".yaml")
		if *update {
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(golden) != string(text) {
			t.Errorf("got\n%s", text)
		}
	}
}

// TestShares: only calls on groups that are in a given state share a kill, and as many
// as an attempt has groups.
func TestShares(t *testing.T) {
	starts := crashpoint.Starts()
	for _, start := range starts {
		// Further groups have no other calls.
		want := start.Name() != starts[0].Name() && (start.Call == "dig.instantiate" || start.Call == "dig.terminate")
		if got := starts[0].Shares(start); got != want {
			t.Errorf("%s: %v", start, got)
		}
	}
	if got := crashpoint.Members(starts); len(got) != 2 || got[1].Call != "dig3.instantiate" || got[1].Undo != "dig3.terminate" || got[1].State != starts[1].State {
		t.Errorf("%+v", got)
	}
}

// TestJudge: the file of a disagreement judges each look, also that when the edge is
// back.
func TestJudge(t *testing.T) {
	starts := crashpoint.Starts()
	stop := slices.IndexFunc(starts, func(s crashpoint.Start) bool { return s.Call == "dig.stop" })
	judging := options
	judging.Judge = true
	text, err := crashpoint.Point{Start: starts[stop], Path: []string{"etcd"}}.Experiment(judging)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"probe: {agreement: dig.stop}", "probe: {agreement: {call: dig.stop, quiet: 5s}}"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
}

// TestNextHasEveryBorder: whatever the order in which a call comes to its back
// ends, each border between two of them is a point.
func TestNextHasEveryBorder(t *testing.T) {
	backEnds := []string{"mongo", "etcd", "rsync"}
	for _, call := range []string{"m e e e r m", "e m", "r e m r m m e", "m", "e r e r"} {
		accesses := strings.Fields(call)
		stops := map[int]bool{} // where a hold has stopped the call
		var ahead []crashpoint.Point
		for _, name := range backEnds {
			ahead = append(ahead, crashpoint.Point{Path: []string{name}})
		}
		for ; len(ahead) > 0; ahead = ahead[1:] {
			at := 0
			for _, name := range ahead[0].Path {
				for at < len(accesses) && accesses[at] != name[:1] {
					at++
				}
			}
			if at < len(accesses) {
				stops[at] = true
				ahead = append(ahead, ahead[0].Next(backEnds)...)
			}
		}
		for i := range accesses {
			if border := i == 0 || accesses[i] != accesses[i-1]; border && !stops[i] {
				t.Errorf("%s: nothing stops it before access %d", call, i+1)
			}
		}
	}
}

func TestNext(t *testing.T) {
	start := crashpoint.Starts()[0]
	backEnds := []string{"mongo", "etcd", "rsync"}
	for path, want := range map[string][]string{
		"mongo":           nil,
		"etcd":            {"dig-instantiate-approved-etcd-mongo"},
		"rsync":           {"dig-instantiate-approved-rsync-mongo", "dig-instantiate-approved-rsync-etcd"},
		"etcd mongo":      {"dig-instantiate-approved-etcd-mongo-3"},
		"etcd mongo etcd": {"dig-instantiate-approved-etcd-mongo-4"},
	} {
		var got []string
		for _, next := range (crashpoint.Point{Start: start, Path: strings.Fields(path)}).Next(backEnds) {
			got = append(got, next.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %s come %q, not %q", path, got, want)
		}
	}
}
