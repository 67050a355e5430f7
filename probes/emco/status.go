package emco

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// State is a state of a logical cloud or a deployment intent group, in EMCO's
// words. One that is not listed here can come too.
type State string

const (
	Absent            State = "absent" // no word of EMCO's: the resource is not there
	Created           State = "Created"
	Approved          State = "Approved"
	Instantiating     State = "Instantiating"
	Instantiated      State = "Instantiated"
	InstantiateFailed State = "InstantiateFailed"
	Terminating       State = "Terminating"
	Terminated        State = "Terminated"
	TerminateFailed   State = "TerminateFailed"
	Updated           State = "Updated" // another AppContext took its place

	InstantiateStopped State = "InstantiateStopped" // of the history alone
	TerminateStopped   State = "TerminateStopped"
)

// Replacement is which AppContext took the place of another.
type Replacement string

// The replacements.
const (
	ByNew     Replacement = "new"
	ByEarlier Replacement = "earlier"
)

// ErrNoStatus is the error of an answer to a status call that gives no state.
var ErrNoStatus = errors.New("the answer gives no state")

// Status is EMCO's answer to a status call.
type Status struct {
	History   []State // as EMCO wrote them down, the oldest first; it only grows
	ContextID string  // new with every instantiate; empty before the first
	// Replaced is which AppContext the last action put in the place of the one
	// before, if it did, and Revision is that of the last action.
	Replaced Replacement
	Revision int
	// Deployed is the state of the deployment; empty for what was never
	// instantiated. It lags: for some tenths of a second after a call was
	// accepted it can be that of before.
	Deployed State
	Counts   map[string]int // of resources by their state, such as Applied: 4
	Objects  []Object       // of a deployment intent group, in whatever state
}

// Object is a Kubernetes object that EMCO puts on an edge.
type Object struct{ App, Group, Version, Kind, Name string }

// LastAction is the newest entry of the history; empty if there is none.
func (s Status) LastAction() State {
	if len(s.History) == 0 {
		return ""
	}
	return s.History[len(s.History)-1]
}

// Final reports whether the deployment is in a state that EMCO does not leave
// by itself. Because the state lags, it need not be that of the last action.
func (s Status) Final() bool {
	return slices.Contains([]State{Instantiated, InstantiateFailed, Terminated, TerminateFailed, Updated}, s.Deployed)
}

// Resting is the state of what EMCO has done all for that the last action
// asked of it; empty while it is under way. The state of the deployment lags.
func (s Status) Resting() State {
	last := s.LastAction()
	switch {
	case last != Instantiated && last != Terminated:
		return last
	case s.Final() && (s.Deployed == last || following[s.Deployed] == last):
		return s.Deployed
	}
	return ""
}

// String is the state of the deployment, or that of the last action as long
// as there is no deployment, and both where they do not go together.
func (s Status) String() string {
	last := s.LastAction()
	switch {
	case s.Deployed == "" && last == "":
		return "no state"
	case s.Deployed == "" && (last == Instantiated || last == Terminated):
		return fmt.Sprintf("nothing yet (last action %s)", last)
	case s.Deployed == "":
		return string(last)
	case last != "" && last != s.Deployed && last != following[s.Deployed]:
		return fmt.Sprintf("%s (last action %s)", s.Deployed, last)
	default:
		return string(s.Deployed)
	}
}

// following maps states of a deployment to the action they follow from.
var following = map[State]State{
	Instantiating:     Instantiated,
	InstantiateFailed: Instantiated,
	Updated:           Instantiated,
	Terminating:       Terminated,
	TerminateFailed:   Terminated,
}

// ParseStatus reads the body of a status call, with status=deployed or with the
// old names. What is not one JSON object with a history is an error that wraps
// [ErrNoStatus]: EMCO also answers with an error line, or one and a JSON line.
func ParseStatus(body []byte) (Status, error) {
	var read struct {
		States struct {
			ContextID string `json:"statusctxid"`
			Actions   []struct {
				State    State  `json:"state"`
				Instance string `json:"instance"`
				Revision int    `json:"revision"`
			} `json:"actions"`
		} `json:"states"`
		Deployed    State          `json:"deployedStatus"`
		OldDeployed State          `json:"status"`
		Counts      map[string]int `json:"deployedCounts"`
		OldCounts   map[string]int `json:"rsyncStatus"`
		Apps        []struct {
			Name     string
			Clusters []struct {
				Resources []struct {
					GVK  struct{ Group, Version, Kind string }
					Name string
				}
			}
		}
	}
	noStatus := fmt.Errorf("%w: %s", ErrNoStatus, document.Shown(string(body)))
	if json.Unmarshal(body, &read) != nil || len(read.States.Actions) == 0 {
		return Status{}, noStatus
	}
	status := Status{ContextID: read.States.ContextID, Deployed: cmp.Or(read.Deployed, read.OldDeployed), Counts: read.Counts}
	if status.Counts == nil {
		status.Counts = read.OldCounts
	}
	seen := map[string]bool{} // AppContexts
	for i, action := range read.States.Actions {
		if action.State == "" {
			return Status{}, noStatus
		}
		status.History, status.Revision, status.Replaced = append(status.History, action.State), action.Revision, ""
		if action.State == Instantiated && i > 0 && read.States.Actions[i-1].State == Updated {
			status.Replaced = ByNew
			if seen[action.Instance] {
				status.Replaced = ByEarlier
			}
		}
		seen[action.Instance] = true
	}
	for _, app := range read.Apps {
		for _, cluster := range app.Clusters {
			for _, r := range cluster.Resources {
				status.Objects = append(status.Objects, Object{app.Name, r.GVK.Group, r.GVK.Version, r.GVK.Kind, r.Name})
			}
		}
	}
	return status, nil
}

// Status reads the answer to a status call. Any other answer than a 200
// with a whole status gives an error that wraps [ErrNoStatus].
func (a Answer) Status() (Status, error) {
	if a.Outcome.Kind != Accepted || a.Cut {
		return Status{}, fmt.Errorf("%w: %s", ErrNoStatus, a)
	}
	return ParseStatus(a.Body)
}

// Progress is how far a call's work has come, according to a status.
type Progress string

// How far a call can have come.
const (
	Unknown  Progress = "unknown"   // the answer gives no state, and is never read as one
	NotBegun Progress = "not begun" // EMCO has not accepted the call
	UnderWay Progress = "under way" // EMCO works on it
	Done     Progress = "done"      // the call has reached the state that it must end in
	GaveUp   Progress = "given up"  // EMCO gave it up for good
)

// Reading is the state of a call according to one answer to its status request.
type Reading struct {
	Progress Progress
	// Ours is set if the last action in the history is the call's. Without it,
	// work that is under way may be that of a request not yet accepted.
	Ours   bool
	Status Status // if the answer gave one
	Text   string // the state for a reader, or why there is none
}

// Read sorts the answer to the call's [Call.Status] request.
func (c Call) Read(a Answer) Reading {
	status, err := a.Status()
	switch {
	case c.Creates != "" && a.Outcome.Kind == Accepted:
		return Reading{Progress: Done, Ours: true, Text: string(Created)}
	case c.Creates != "" && a.Missing():
		return Reading{Progress: NotBegun, Text: string(Absent)}
	case c.Creates != "" || err != nil:
		return Reading{Progress: Unknown, Text: "no state: " + a.String()}
	}
	reading := Reading{Progress: NotBegun, Status: status, Text: status.String()}
	last := status.LastAction()
	reading.Ours = last == c.Action && (c.Replaces == "" || c.Replaces == status.Replaced)
	switch {
	case c.Action == Approved:
		// Later actions need an approval before them.
		if last != Created {
			reading.Progress, reading.Ours = Done, true
		}
	case (reading.Ours || c.ByDeployment) && status.Deployed == c.End:
		reading.Progress = Done
	case reading.Ours && status.Deployed == c.Failure:
		reading.Progress = GaveUp
	case reading.Ours, status.Deployed == c.UnderWay:
		reading.Progress = UnderWay
	}
	return reading
}
