// Package lifecycle is what EMCO's resources with a life of their own have in common: the history of their states,
// and the status that is made of it and of the AppContext.
package lifecycle

import (
	"slices"
	"time"
)

// The states that an action brings about.
const (
	Created      = "Created"
	Approved     = "Approved"
	Instantiated = "Instantiated"
	Terminated   = "Terminated"
	Updated      = "Updated" // replaced by another AppContext

	InstantiateStopped = "InstantiateStopped"
	TerminateStopped   = "TerminateStopped"
)

// Action is one entry of the history. Instance is the id of the AppContext that it used.
type Action struct {
	State    string    `json:"state"`
	Instance string    `json:"instance"`
	Time     time.Time `json:"time"`
	Revision int       `json:"revision"`
}

// Runs reports whether EMCO takes it for something that can be updated or terminated.
func (a Action) Runs() bool { return a.State == Instantiated || a.State == InstantiateStopped }

// Stopped is the state that a stop leads to; false if there is nothing to stop.
func (a Action) Stopped() (state string, stops bool) {
	state, stops = map[string]string{Instantiated: InstantiateStopped, Terminated: TerminateStopped}[a.State]
	return
}

// Info is the whole history, which only grows, and the AppContext of the latest instantiation.
type Info struct {
	StatusContextID string   `json:"statusctxid"`
	Actions         []Action `json:"actions"`
}

// With returns the history and one action more, now.
func (i Info) With(state, instance string, revision int) Info {
	actions := append(append([]Action(nil), i.Actions...), Action{
		State: state, Instance: instance, Time: time.Now().UTC().Truncate(time.Millisecond), Revision: revision,
	})
	return Info{StatusContextID: i.StatusContextID, Actions: actions}
}

// Revision is the first action of a revision.
func (i Info) Revision(number int) (Action, bool) {
	at := slices.IndexFunc(i.Actions, func(a Action) bool { return a.Revision == number })
	if at < 0 {
		return Action{}, false
	}
	return i.Actions[at], true
}

// Last is the latest action. A history always has one.
func (i Info) Last() Action {
	if len(i.Actions) == 0 {
		return Action{}
	}
	return i.Actions[len(i.Actions)-1]
}
