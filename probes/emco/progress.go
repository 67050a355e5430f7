package emco

import (
	"net/http"
	"strings"
)

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
	reading.Ours = last == c.Action
	switch {
	case c.Action == Approved:
		// Later actions need an approval before them.
		if last != Created {
			reading.Progress, reading.Ours = Done, true
		}
	case reading.Ours && status.Deployed == c.End:
		reading.Progress = Done
	case reading.Ours && status.Deployed == c.Failure:
		reading.Progress = GaveUp
	case reading.Ours, status.Deployed == c.UnderWay:
		reading.Progress = UnderWay
	}
	return reading
}

// Missing reports whether EMCO itself answered that a resource does not exist: a
// 404 such as "Logical Cloud not found". The 404 of a router does not count.
func (a Answer) Missing() bool {
	text := a.Text()
	return a.Code == http.StatusNotFound && strings.HasSuffix(text, "not found") && text != "404 page not found"
}
