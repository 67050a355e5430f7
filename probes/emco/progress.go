package emco

import (
	"net/http"
	"strings"
)

// Progress is how far a call's work has come, according to a status.
type Progress string

// How far a call can have come.
const (
	// Unknown: the answer gives no state. It is never read as one.
	Unknown Progress = "unknown"
	// NotBegun: EMCO has not accepted the call.
	NotBegun Progress = "not begun"
	// UnderWay: EMCO works on it.
	UnderWay Progress = "under way"
	// Done: the state that the call must end in is reached, by the call.
	Done Progress = "done"
	// GaveUp: EMCO gave it up for good.
	GaveUp Progress = "given up"
)

// Reading is the state of a call according to one answer to its status request.
type Reading struct {
	Progress Progress
	// Ours is set if the state belongs to this call, not to one before it:
	// the last action in the history is the call's. Without it, work that is
	// under way may be that of a request which EMCO has not yet accepted.
	Ours bool
	// Status is EMCO's status, if the answer gave one.
	Status Status
	// Text is the state for a reader, or why there is none.
	Text string
}

// Read sorts the answer to the call's [Call.Status] request.
func (c Call) Read(a Answer) Reading {
	if c.Creates != "" {
		return c.readResource(a)
	}
	status, err := a.Status()
	if err != nil {
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

func (c Call) readResource(a Answer) Reading {
	switch {
	case a.Outcome.Kind == Accepted:
		return Reading{Progress: Done, Ours: true, Text: string(Created)}
	case a.Missing():
		return Reading{Progress: NotBegun, Text: string(Absent)}
	default:
		return Reading{Progress: Unknown, Text: "no state: " + a.String()}
	}
}

// Missing reports whether EMCO itself answered that a resource does not exist: a
// 404 such as "Logical Cloud not found". The 404 of a router, EMCO's
// ("404 page not found") or an ingress's, does not count.
func (a Answer) Missing() bool {
	text := a.Text()
	return a.Code == http.StatusNotFound && strings.HasSuffix(text, "not found") && text != "404 page not found"
}
