// Package crashmap finds the moments of EMCO's calls at which it does not
// recover from the death of the service that answers: it lets the service die at
// each crash point, and compares what follows with a run without a fault.
package crashmap

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/crashpoint"
	"github.com/emco-chaos/emco-chaos/plugin/verdict"
)

// Consequence is what a death at a crash point leads to.
type Consequence string

// The consequences. The first two are recovery, each of the others is a finding.
const (
	NothingDone Consequence = "nothing done"        // made again, the call completes
	ByItself    Consequence = "completes by itself" // what the client did not hear of was done
	Behind      Consequence = "behind its back"     // the edge has what EMCO says is not there, or lacks what it says is
	EndsFailed  Consequence = "ends failed"         // made again, the call ends in a failed state
	Stuck       Consequence = "stuck"               // the call cannot be made again, or does not end
	Leaks       Consequence = "leaks"               // something stays after a teardown
	Late        Consequence = "late"                // done only after another service restarts
)

// Consequences lists them all, the recoveries first.
func Consequences() []Consequence {
	return []Consequence{NothingDone, ByItself, Behind, EndsFailed, Stuck, Leaks, Late}
}

// Finding reports whether EMCO did not recover.
func (c Consequence) Finding() bool { return c != "" && c != NothingDone && c != ByItself }

// Map is what is known of the crash points so far.
type Map struct {
	Version string    `json:"version"` // of emco-chaos
	Target  string    `json:"target"`  // a hash of it
	Began   time.Time `json:"began"`
	// BackEnds are those that the calls are stopped at.
	BackEnds []string `json:"backEnds"`
	// Runs are all runs that were made for it.
	Runs   int     `json:"runs"`
	Starts []Start `json:"starts"`
}

// Start is what is known of one call from one state.
type Start struct {
	Name  string `json:"name"`
	Call  string `json:"call"`
	State string `json:"state"`
	// Answered is how long the call takes without a fault.
	Answered time.Duration `json:"answered"`
	// Begin is what a run without a fault begins with, and End what it comes to.
	// What differs between good runs is left out.
	Begin *View `json:"begin,omitempty"`
	End   *View `json:"end,omitempty"`
	// Beyond names the paths that the call does not have: it was answered before.
	Beyond []string `json:"beyond,omitempty"`
	Points []Point  `json:"points,omitempty"`
	// Further is how many back ends, or requests, the call was led past where there are
	// more: what comes after is not covered.
	Further int `json:"further,omitempty"`
	// Complete says that no point is left to try.
	Complete bool `json:"complete,omitempty"`
}

// Point is what is known of one crash point.
type Point struct {
	Name  string   `json:"name"`
	Where string   `json:"where"`
	Path  []string `json:"path,omitempty"`
	// Moment is how long after the call was sent its connection broke, of a kill at
	// a moment.
	Moment time.Duration `json:"moment,omitempty"`
	// Consequence is empty when no run said anything; Words are then why.
	Consequence Consequence `json:"consequence,omitempty"`
	Words       string      `json:"words"`
	Run         string      `json:"run,omitempty"` // its name in the journal
	// File is the experiment that replays a finding, and Replayed how many of
	// Replays replays found the same.
	File     string `json:"file,omitempty"`
	Replayed int    `json:"replayed,omitempty"`
	Replays  int    `json:"replays,omitempty"`
	// WayOut is what took away what a finding left.
	WayOut string `json:"wayOut,omitempty"`
}

// FileName is the file that has a map.
const FileName = "map.json"

// Load reads the map of a folder; nil when there is none yet.
func Load(folder string) (*Map, error) {
	data, err := os.ReadFile(filepath.Join(folder, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	known := &Map{}
	if err == nil {
		err = json.Unmarshal(data, known)
	}
	if err != nil {
		return nil, fmt.Errorf("read the crash map of %s: %w; choose another folder", folder, err)
	}
	return known, nil
}

// InFolder keeps the files of a map in a folder, each whole or not at all.
func InFolder(folder string) func(name string, data []byte) error {
	return func(name string, data []byte) error {
		path := filepath.Join(folder, name)
		err := os.WriteFile(path+".new", data, 0o644)
		if err == nil {
			err = os.Rename(path+".new", path)
		}
		if err != nil {
			return fmt.Errorf("write the crash map: %w", err)
		}
		return nil
	}
}

// start returns the entry of a start, which is made when there is none.
func (m *Map) start(of crashpoint.Start) *Start {
	at := slices.IndexFunc(m.Starts, func(s Start) bool { return s.Name == of.Name() })
	if at < 0 {
		at = len(m.Starts)
		m.Starts = append(m.Starts, Start{Name: of.Name(), Call: of.Call, State: string(of.State)})
	}
	return &m.Starts[at]
}

// Find returns what is known of a point; nil if nothing is.
func (s *Start) Find(name string) *Point {
	if at := slices.IndexFunc(s.Points, func(p Point) bool { return p.Name == name }); at >= 0 {
		return &s.Points[at]
	}
	return nil
}

// all are the points of all starts.
func (m *Map) all() (points []Point) {
	for _, start := range m.Starts {
		points = append(points, start.Points...)
	}
	return points
}

// Findings are the points that EMCO does not recover from.
func (m *Map) Findings() []Point {
	return slices.DeleteFunc(m.all(), func(p Point) bool { return !p.Consequence.Finding() })
}

// Points counts the points that are known, and those that a run said something of.
func (m *Map) Points() (known, covered int) {
	for _, point := range m.all() {
		known++
		if point.Consequence != "" {
			covered++
		}
	}
	return known, covered
}

// Verdict is what the map says of EMCO, and why. That its time was over is told
// by spent.
func (m *Map) Verdict(spent bool) verdict.Judgement {
	findings := m.groups()
	known, covered := m.Points()
	further := slices.IndexFunc(m.Starts, func(s Start) bool { return s.Further > 0 })
	inconclusive := func(format string, values ...any) verdict.Judgement {
		return verdict.Judgement{Verdict: verdict.Inconclusive, Reason: fmt.Sprintf(format, values...)}
	}
	switch {
	case len(findings) > 0:
		first := findings[0][0]
		return verdict.Judgement{Verdict: verdict.Failed, Reason: fmt.Sprintf("EMCO does not recover at %d of %d points, in %d ways; the first: %s, %s: %s",
			len(m.Findings()), known, len(findings), first.Name, first.Consequence, first.words())}
	case spent:
		return inconclusive("the time for runs is over")
	case known == 0:
		return inconclusive("no point was tried; their names are such as dig-terminate-instantiated-rsync-done")
	case covered < known:
		return inconclusive("%d of %d points are not covered", known-covered, known)
	case further >= 0:
		return inconclusive("%s goes on after the %d back ends that it was led past", m.Starts[further].Name, m.Starts[further].Further)
	}
	return verdict.Judgement{Verdict: verdict.Passed}
}
