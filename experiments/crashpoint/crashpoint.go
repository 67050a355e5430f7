// Package crashpoint names the places in a call at which the service that
// answers it can die, and writes the experiments that let it die there.
//
// A call is a string of accesses to back ends. A partition between the service
// and one back end stops it at its first access to it. While it is stopped
// there the next back end is cut off and the first one freed: the call goes on
// to its next access to the other (a relay). So a path of back ends is a place
// in the call, before the access that it ends with or, when only the answers of
// the last back end are dropped, after it.
package crashpoint

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// Start is a call of EMCO's life cycle, and a state that EMCO accepts it in.
type Start struct {
	Call  string // such as dig.instantiate
	State emco.State
	// Service answers the call.
	Service string
	// Undo is the call that leads back; empty where EMCO has none.
	Undo string
	// Given is the state of everything, in the form of an experiment's given.
	Given string
	// Cold says that the service may not have reached rsync yet, which it does
	// at its first call: what holds rsync's answers then stops the call before.
	Cold bool
	// Ahead is a call that is made before, to come from the given to the state.
	Ahead string
	// Named says that a map has the call only when it is named.
	Named bool
}

// Starts are the calls of the life cycle from each state that EMCO accepts them in.
func Starts() []Start {
	return []Start{
		{"dig.instantiate", emco.Approved, "orchestrator", "dig.terminate", "{logicalCloud: Instantiated, dig: Approved}", false, "", false},
		{"dig.instantiate", emco.Terminated, "orchestrator", "dig.terminate", "{logicalCloud: Instantiated, dig: Terminated}", false, "", false},
		{"dig.terminate", emco.Instantiated, "orchestrator", "dig.instantiate", "{logicalCloud: Instantiated, dig: Instantiated}", false, "", false},
		{"dig.update", emco.Instantiated, "orchestrator", "dig.rollback", "{logicalCloud: Instantiated, dig: Instantiated}", false, "", true},
		{"dig.rollback", emco.Updated, "orchestrator", "dig.update", "{logicalCloud: Instantiated, dig: Instantiated}", false, "dig.update", true},
		{"dig.migrate", emco.Instantiated, "orchestrator", "", "{logicalCloud: Instantiated, dig: Instantiated, dig2: Approved}", false, "", true},
		{"dig.stop", emco.Instantiating, "orchestrator", "", "{logicalCloud: Instantiated, dig: Approved}", false, "dig.instantiate", true},
		{"dig.stop-terminate", emco.Terminating, "orchestrator", "", "{logicalCloud: Instantiated, dig: Instantiated}", false, "dig.terminate", true},
		{"logical-cloud.instantiate", emco.Created, "dcm", "logical-cloud.terminate", "{logicalCloud: Created}", true, "", false},
		{"logical-cloud.instantiate", emco.Terminated, "dcm", "logical-cloud.terminate", "{logicalCloud: Terminated}", false, "", false},
		{"logical-cloud.terminate", emco.Instantiated, "dcm", "logical-cloud.instantiate", "{logicalCloud: Instantiated}", false, "", false},
		{"logical-cloud.stop", emco.Instantiated, "dcm", "", "{logicalCloud: Instantiated}", false, "", true},
	}
}

// Meanwhile says that the call ahead must be under way when the call comes: the edge
// is then away until the call has come to its end.
func (s Start) Meanwhile() bool {
	call, _ := emco.CallNamed(s.Call)
	return call.During != ""
}

// Name names the start, such as dig-instantiate-approved.
func (s Start) Name() string {
	return strings.ReplaceAll(s.Call, ".", "-") + "-" + strings.ToLower(string(s.State))
}

func (s Start) String() string { return s.Call + " from " + string(s.State) }

// Point is a place in a call, or a moment of it.
type Point struct {
	Start Start
	// Path are the back ends that the call is stopped at, one after another;
	// empty for a kill at a moment.
	Path []string
	// Request is the number of the request to the only back end of the path that the
	// call is stopped at; 0 and 1 are the first. A local cluster alone can count.
	Request int
	// After says that the last back end has done its work, and that the
	// service does not hear of it.
	After bool
	// Moment is how long after the call was sent the service is killed, and Number
	// tells the moments of a call apart.
	Moment time.Duration
	Number int
}

// Name names the point, and its experiment. A path of more than two back ends
// alternates, so that two of them and its length say it.
func (p Point) Name() string {
	name := p.Start.Name()
	switch n := len(p.Path); {
	case n == 0:
		return fmt.Sprintf("%s-moment-%d", name, p.Number)
	case p.Request > 1:
		name += fmt.Sprintf("-%s-request-%d", p.Path[0], p.Request)
	case n > 2:
		name += fmt.Sprintf("-%s-%s-%d", p.Path[0], p.Path[1], n)
	default:
		name += "-" + strings.Join(p.Path, "-")
	}
	if p.After {
		name += "-done"
	}
	return name
}

// Where says in words where in the call the point is.
func (p Point) Where() string {
	switch n := len(p.Path); {
	case n == 0:
		return fmt.Sprintf("%s after the call was sent", p.Moment)
	case p.Request > 1 && p.After:
		return fmt.Sprintf("after %s's work on request %d", p.Path[0], p.Request)
	case p.Request > 1:
		return fmt.Sprintf("before request %d to %s", p.Request, p.Path[0])
	case p.After:
		return "after the work of " + strings.Join(p.Path, ", then ")
	default:
		return "before " + strings.Join(p.Path, ", then ")
	}
}

// Next are the points that a call which stopped at p may stop at further on: where
// requests are counted the next one, else those of its path and one more back
// end. A pair of back ends alternates, and begins
// with the one that is named later: the other order has the same places, but for
// the first access to its first back end, which is a path by itself.
func (p Point) Next(backEnds []string) []Point {
	if p.Request > 0 {
		return []Point{{Start: p.Start, Path: p.Path, Request: p.Request + 1}}
	}
	var next []Point
	last := len(p.Path) - 1
	for _, name := range backEnds {
		if name == p.Path[last] && last == 0 {
			break
		}
		if last == 0 || name == p.Path[last-1] {
			next = append(next, Point{Start: p.Start, Path: append(slices.Clone(p.Path), name)})
		}
	}
	return next
}
