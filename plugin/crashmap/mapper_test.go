package crashmap

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/experiments/plan"
	"github.com/emco-chaos/emco-chaos/plugin/journal"
	"github.com/emco-chaos/emco-chaos/probes/target"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	approved     = View{"Approved", off}
	instantiated = View{"Instantiated", on}
)

// system answers a call by mongo, rsync, mongo and rsync again: it is a runner whose runs
// are told by the names of their experiments.
type system struct {
	made  []string
	first map[string][]told // by name, of the first runs
	runs  map[string]told   // by name; what is not there has nothing done
	fails map[string]error
	waits map[string][]string // by name, how long each run leaves a call before the kill
	// others is what the calls that share a kill come to, by the name of the point; what
	// is not there has nothing done.
	others map[string][]told
	clean  int // the first time that what is left can be removed
}

var nameOf = regexp.MustCompile(`(?m)^  name: (\S+)$`)

func (s *system) Run(_ context.Context, text []byte) ([]journal.Record, error) {
	name := string(nameOf.FindSubmatch(text)[1])
	if service := regexp.MustCompile(`(?s)restart:.*service: ([a-z]+)`).FindSubmatch(text); service != nil {
		name += "+" + string(service[1])
	}
	s.made = append(s.made, name)
	if wait := regexp.MustCompile(`(?s)    kill:\n.*?delay: (\S+)`).FindSubmatch(text); wait != nil && s.waits != nil {
		s.waits[name] = append(s.waits[name], string(wait[1]))
	}
	if err := s.fails[name]; err != nil {
		delete(s.fails, name)
		return nil, err
	}
	happened, known := s.runs[name]
	if first := s.first[name]; len(first) > 0 {
		happened, known, s.first[name] = first[0], true, first[1:]
	}
	switch beyond := regexp.MustCompile("-(etcd.*|.*-etcd.*|rsync-mongo-4|request-3)$"); {
	case known:
	case strings.HasSuffix(name, "-reference"):
		happened = told{before: approved, after: instantiated, accepted: true}
	case beyond.MatchString(name):
		happened = told{before: approved, after: approved, accepted: true}
	default:
		happened = told{before: approved, after: approved}
	}
	records := append([]journal.Record{{Kind: journal.Run, Run: "r" + name, Plan: steps(), Target: "abc"}}, happened.records()...)
	if point, shared := strings.CutSuffix(name, "-shared"); shared {
		for i, suffix := range regexp.MustCompile(`(?m)^    call(-dig\d):$`).FindAllSubmatch(text, -1) {
			other := told{before: approved, after: approved}
			if all := s.others[point]; len(all) > i {
				other = all[i]
			}
			for _, record := range other.records() {
				if record.Step != "" && record.Step != crashpoint.Kill && record.Step != plan.GivenStep && record.Step != plan.TeardownStep {
					record.Step += string(suffix[1])
					records = append(records, record)
				}
			}
		}
	}
	return records, nil
}

func (s *system) Clean(context.Context) error {
	if s.clean--; s.clean > 0 {
		return errors.New("it stays")
	}
	return nil
}

// foldered is a mapper that keeps its map in a folder.
type foldered struct {
	*Mapper
	Folder string
}

func newMapper(t *testing.T, s *system) (foldered, *[]string) {
	t.Helper()
	var lines []string
	folder := t.TempDir()
	return foldered{&Mapper{
		Runner: s, Map: &Map{BackEnds: []string{"mongo", "etcd", "rsync"}}, Keep: InFolder(folder),
		Starts: crashpoint.Starts()[:1], Services: []string{"etcd", "orchestrator", "rsync"},
		Spec: Spec{Settle: time.Second, Longest: 8}, Tell: func(text string) { lines = append(lines, text) },
	}, folder}, &lines
}

const base = "dig-instantiate-approved-"

// TestWalk: the call is led from back end to back end until it is answered, and
// each place is tried before and after.
func TestWalk(t *testing.T) {
	s := &system{}
	m, _ := newMapper(t, s)
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		base + "reference", base + "reference",
		base + "mongo", base + "mongo-done", base + "etcd", base + "rsync", base + "rsync-done",
		base + "rsync-mongo", base + "rsync-mongo-done", base + "rsync-etcd",
		base + "rsync-mongo-3", base + "rsync-mongo-3-done", base + "rsync-mongo-4",
	}
	if !slices.Equal(s.made, want) {
		t.Errorf("made\n%s", strings.Join(s.made, "\n"))
	}
	if known := m.Map.Starts[0]; !known.Complete || len(known.Points) != 8 || len(m.Map.Findings()) != 0 {
		t.Errorf("it knows %+v", known)
	}
}

// TestResent: where what was held is sent again by a timer, a run that left it no
// time says nothing, and the next one leaves it more: after the first hold, and then
// after each.
func TestResent(t *testing.T) {
	s := &system{waits: map[string][]string{}}
	m, _ := newMapper(t, s)
	m.Resent, m.Longest, m.Settle = true, 2, settleCluster
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.waits[base+"rsync-mongo"]; !slices.Equal(got, []string{"2.1s", "3.5s", "7s"}) {
		t.Errorf("it waits for %q", got)
	}
	for name, covered := range map[string]bool{"rsync": true, "rsync-mongo": false} {
		if got := m.Map.Starts[0].Find(base + name); got == nil || (got.Consequence != "") != covered || strings.Contains(got.Words, "may not have moved on") == covered {
			t.Errorf("%s is %+v", name, got)
		}
	}
}

// TestSpec: what a driver cannot do is refused, and it decides on what is left open.
func TestSpec(t *testing.T) {
	services := map[string]target.Service{"mongo": {}, "etcd": {}, "rsync": {}}
	cluster := &target.Target{Services: services, Driver: target.Driver{Kubernetes: &target.KubernetesDriver{}}}
	if _, err := (Spec{Requests: true}).Mapper(cluster, nil, ""); err == nil || !strings.Contains(err.Error(), "on a local cluster alone") {
		t.Errorf("requests on Kubernetes: %v", err)
	}
	if _, err := (Spec{Requests: true, Share: true}).Mapper(&target.Target{Services: services}, nil, ""); err == nil || !strings.Contains(err.Error(), "leave one of the two out") {
		t.Errorf("requests of calls that share a kill: %v", err)
	}
	if m, err := (Spec{}).Mapper(cluster, nil, ""); err != nil || !m.Resent || m.Settle != settleCluster || m.Longest != 8 {
		t.Errorf("on Kubernetes it is %+v, %v", m, err)
	}
	if m, err := (Spec{Requests: true}).Mapper(&target.Target{Services: services}, nil, ""); err != nil || m.Resent || m.Settle != settleLocal || m.Longest != 99 {
		t.Errorf("on a local cluster it is %+v, %v", m, err)
	}
}

// TestRequests: where requests are counted the call is stopped at each.
func TestRequests(t *testing.T) {
	s := &system{}
	m, _ := newMapper(t, s)
	m.Requests = true
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		base + "reference", base + "reference",
		base + "mongo", base + "mongo-done", base + "etcd", base + "rsync", base + "rsync-done",
		base + "mongo-request-2", base + "mongo-request-2-done", base + "rsync-request-2", base + "rsync-request-2-done",
		base + "mongo-request-3", base + "rsync-request-3",
	}
	if !slices.Equal(s.made, want) {
		t.Errorf("made\n%s", strings.Join(s.made, "\n"))
	}
}

// TestShared: calls on different groups share a kill. What one of them does not recover
// from is tried alone for each, and one that was answered before is not asked along any
// more.
func TestShared(t *testing.T) {
	const again, down = "dig-instantiate-terminated-", "dig-terminate-instantiated-"
	good := told{before: approved, after: approved}
	behind := told{before: approved, after: View{"Approved", on}}
	s := &system{
		others: map[string][]told{
			base + "mongo-done": {good, behind},
			base + "rsync":      {good, {before: approved, after: approved, accepted: true}},
			base + "rsync-done": {{before: View{"Approved", on}, after: instantiated}},
		},
		runs: map[string]told{down + "mongo-done": behind, base + "rsync-shared": {bad: crashpoint.Before, text: "it was not begun"}},
	}
	m, lines := newMapper(t, s)
	m.Share, m.Longest, m.Starts = true, 1, crashpoint.Starts()[:3]
	m.Map.BackEnds = []string{"mongo", "rsync"}
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		base + "reference", base + "reference", again + "reference", again + "reference", down + "reference", down + "reference",
		base + "mongo-shared",
		base + "mongo-done-shared", base + "mongo-done",
		base + "rsync-shared", base + "rsync",
		base + "rsync-done-shared", base + "rsync-done",
		again + "mongo-done", again + "rsync", again + "rsync-done",
		down + "mongo-done", down + "mongo-done", down + "mongo-done", down + "mongo-done",
	}
	if !slices.Equal(s.made, want) {
		t.Errorf("made\n%s", strings.Join(s.made, "\n"))
	}
	for start, names := range [][]string{
		{base + "mongo", base + "mongo-done", base + "rsync", base + "rsync-done"},
		{again + "mongo", again + "mongo-done", again + "rsync", again + "rsync-done"},
		{down + "mongo", down + "mongo-done"},
	} {
		var got []string
		for _, point := range m.Map.Starts[start].Points {
			got = append(got, point.Name)
			if finding := point.Name == down+"mongo-done"; point.Consequence.Finding() != finding || point.Consequence == "" {
				t.Errorf("%s is %s: %s", point.Name, point.Consequence, point.Words)
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("points %q, want %q", got, names)
		}
	}
	if got := m.Map.Starts[0].Find(base + "mongo"); got.Run != "r"+base+"mongo-shared" || !slices.Contains(*lines, "dig.terminate from Instantiated: "+line(*m.Map.Starts[2].Find(down + "mongo"))) {
		t.Errorf("%+v, told\n%s", got, strings.Join(*lines, "\n"))
	}
}

// findings are runs with one finding of each kind that a map looks further into.
func findings() *system {
	stuck := told{before: approved, after: approved, bad: crashpoint.Reissue, text: "is wedged", wedged: "projects/p", left: "projects/p"}
	hangs := told{before: approved, after: approved, bad: crashpoint.Final, text: "Instantiated was not reached within 30s"}
	return &system{
		clean: 2,
		runs: map[string]told{
			base + "mongo":              stuck,
			base + "rsync-done":         {before: approved, after: View{"Approved", on}},
			base + "rsync-mongo-3":      hangs,
			base + "rsync-mongo-3+etcd": hangs, // and a restart of rsync helps
			base + "rsync-mongo-3-done": {before: approved, after: instantiated},
			base + "rsync-mongo":        {before: approved, after: approved, bad: crashpoint.Final, text: "status says InstantiateFailed", progress: "given up"},
			base + "rsync-mongo-done":   {before: approved, after: approved, left: "edge Deployment shop"},
			base + "moment-1":           stuck,
		},
	}
}

func TestFindings(t *testing.T) {
	s := findings()
	m, _ := newMapper(t, s)
	m.Moments = 2
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Point{
		"mongo":              {Consequence: Stuck, WayOut: "a restart of etcd, then the teardown", Replayed: 3, Replays: 3},
		"rsync-done":         {Consequence: Behind, WayOut: "the teardown (terminate, where EMCO takes it, and DELETE)", Replayed: 3, Replays: 3},
		"rsync-mongo-3":      {Consequence: Late, WayOut: "a restart of rsync", Replayed: 3, Replays: 3},
		"rsync-mongo-3-done": {Consequence: ByItself},
		"rsync-mongo":        {Consequence: EndsFailed, WayOut: "the teardown (terminate, where EMCO takes it, and DELETE)", Replayed: 3, Replays: 3},
		"rsync-mongo-done":   {Consequence: Leaks, WayOut: "none in EMCO once it is torn down: delete it on the edge cluster", Replayed: 3, Replays: 3},
		"moment-1":           {Consequence: Stuck, WayOut: "the teardown, later"},
		"moment-2":           {Consequence: NothingDone},
	} {
		got := m.Map.Starts[0].Find(base + name)
		if got == nil {
			t.Fatalf("%s is not there", name)
		}
		if got.Consequence != want.Consequence || got.WayOut != want.WayOut || got.Replayed != want.Replayed || got.Replays != want.Replays {
			t.Errorf("%s is %+v", name, *got)
		}
		if _, err := os.Stat(filepath.Join(m.Folder, got.File)); got.Consequence.Finding() && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	judged, err := os.ReadFile(filepath.Join(m.Folder, base+"rsync-done.yaml"))
	if err != nil || !bytes.Contains(judged, []byte("agreement: dig.instantiate")) {
		t.Errorf("the file of a disagreement does not judge it: %v\n%s", err, judged)
	}
	var text bytes.Buffer
	if err := Text(&text, m.Map); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "map.golden")
	if *update {
		if err := os.WriteFile(golden, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(want, text.Bytes()) {
		t.Errorf("%v; got\n%s", err, &text)
	}
}

// TestRunsThatDiffer: a run that says nothing is made again, a point of which no
// run says anything is not covered, and a replay that finds nothing does not count.
// Findings in other words are replayed by themselves.
func TestRunsThatDiffer(t *testing.T) {
	nothing := told{bad: crashpoint.Before, text: "EMCO was away"}
	behind := told{before: approved, after: View{"Approved", on}}
	failed := func(words string) told {
		return told{before: approved, after: approved, bad: crashpoint.Final, text: words, progress: "given up"}
	}
	s := &system{
		first: map[string][]told{base + "mongo": {nothing}, base + "rsync-done": {behind, behind}},
		runs: map[string]told{
			base + "mongo-done": nothing, base + "rsync-mongo": failed("it failed"), base + "rsync-mongo-done": failed("it failed otherwise"),
		},
	}
	m, _ := newMapper(t, s)
	m.Longest = 2
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Text(&text, m.Map); err != nil || !strings.Contains(text.String(), "? the call goes on: it was led past 2 back ends") {
		t.Errorf("it does not say that there is more: %v\n%s", err, &text)
	}
	m.Longest = 8
	if err := m.Make(t.Context()); err != nil || m.Map.Starts[0].Further != 0 {
		t.Errorf("led further it still says so: %v", err)
	}
	for name, want := range map[string]Point{
		"mongo":            {Consequence: NothingDone},
		"mongo-done":       {},
		"rsync-done":       {Consequence: Behind, Replayed: 1, Replays: 3},
		"rsync-mongo":      {Consequence: EndsFailed, Replayed: 3, Replays: 3},
		"rsync-mongo-done": {Consequence: EndsFailed, Replayed: 3, Replays: 3},
	} {
		got := m.Map.Starts[0].Find(base + name)
		if got == nil || got.Consequence != want.Consequence || got.Replayed != want.Replayed || got.Replays != want.Replays {
			t.Errorf("%s is %+v", name, got)
		}
	}
	if got := len(m.Map.groups()); got != 3 {
		t.Errorf("there are %d findings", got)
	}
	for name, want := range map[string]int{"mongo": 2, "mongo-done": tries, "rsync": 1} {
		got := len(slices.DeleteFunc(slices.Clone(s.made), func(made string) bool { return made != base+name }))
		if got != want {
			t.Errorf("%s was run %d times, not %d", name, got, want)
		}
	}
}

// TestCold: where the service has not reached rsync yet, a call is made before the
// one that is to be stopped after rsync's work.
func TestCold(t *testing.T) {
	s := &system{}
	m, _ := newMapper(t, s)
	m.Starts, m.Longest = slices.DeleteFunc(crashpoint.Starts(), func(s crashpoint.Start) bool { return !s.Cold }), 1
	if err := m.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	const call = "logical-cloud-instantiate-created-"
	want := []string{
		call + "reference", call + "reference", call + "mongo", call + "mongo-done", call + "etcd",
		call + "rsync", call + "reference", call + "rsync-done",
	}
	if !slices.Equal(s.made, want) {
		t.Errorf("made\n%s", strings.Join(s.made, "\n"))
	}
}

// TestResumed: a map that was interrupted at any run is the same in the end, and
// no point is tried again but the one that was under way.
func TestResumed(t *testing.T) {
	whole, lines := newMapper(t, findings())
	if err := whole.Make(t.Context()); err != nil {
		t.Fatal(err)
	}
	killed := errors.New("killed")
	for _, at := range []string{"reference", "mongo", "rsync-done", "rsync-mongo-3+etcd", "rsync-mongo-4"} {
		s := findings()
		s.fails = map[string]error{base + at: killed}
		m, told := newMapper(t, s)
		if err := m.Make(t.Context()); !errors.Is(err, killed) {
			t.Fatalf("%s: it ended with %v", at, err)
		}
		known, err := Load(m.Folder)
		if err != nil {
			t.Fatal(err)
		}
		if known == nil {
			known = &Map{BackEnds: m.Map.BackEnds}
		}
		m.Map = known
		if err := m.Make(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(*told, *lines) {
			t.Errorf("%s: it told\n%s", at, strings.Join(*told, "\n"))
		}
	}
}

func TestBudgetAndTarget(t *testing.T) {
	m, _ := newMapper(t, &system{})
	m.Until = time.Now().Add(-time.Second)
	if err := m.Make(t.Context()); !errors.Is(err, ErrBudget) {
		t.Errorf("it ended with %v", err)
	}
	m, _ = newMapper(t, &system{})
	m.Map.Target = "another"
	if err := m.Make(t.Context()); err == nil || !strings.Contains(err.Error(), "another target") {
		t.Errorf("it ended with %v", err)
	}
	if _, err := Load(filepath.Join(m.Folder, "none")); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(m.Folder, FileName), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(m.Folder); err == nil {
		t.Error("half a map was read")
	}
}

func TestCompare(t *testing.T) {
	points := func(all ...Point) *Map {
		for i := range all {
			all[i].Path = []string{"mongo"}
		}
		return &Map{Starts: []Start{{Points: all}}}
	}
	earlier := points(Point{Name: "a", Consequence: Stuck}, Point{Name: "b", Consequence: Leaks}, Point{Name: "c", Consequence: Late}, Point{Name: "e", Consequence: Stuck})
	later := points(Point{Name: "a", Consequence: Stuck}, Point{Name: "b", Consequence: NothingDone}, Point{Name: "c", Consequence: Behind}, Point{Name: "d", Consequence: Stuck}, Point{Name: "e"})
	names := map[Difference]string{}
	for difference, all := range Compare(earlier, later) {
		for _, point := range all {
			names[difference] += point.Name + " " + string(point.Consequence) + ";"
		}
	}
	if names[Same] != "a stuck;" || names[Gone] != "b leaks;" || names[New] != "c behind its back;d stuck;" {
		t.Errorf("the differences are %v", names)
	}
}

// TestNamedCalls: the rest of the life cycle is mapped only when it is named.
func TestNamedCalls(t *testing.T) {
	for calls, want := range map[string]int{"": 6, "dig.update": 1, "dig.rollback logical-cloud.stop": 2, "dig.stop dig.stop-terminate": 2, "dig.migrate": 1, "dig.update dig.terminate": 2} {
		m, err := Spec{Calls: strings.Fields(calls), BackEnds: []string{"etcd"}}.Mapper(
			&target.Target{Services: map[string]target.Service{"etcd": {}}}, nil, "v")
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Starts) != want {
			t.Errorf("%q: %d calls and states, want %d: %v", calls, len(m.Starts), want, m.Starts)
		}
	}
}
