// Package lifecycle is what EMCO's resources with a life of their own have in common: the history of their states,
// and the status that is made of it and of the AppContext.
package lifecycle

import "time"

// The states that an action brings about.
const (
	Created      = "Created"
	Approved     = "Approved"
	Instantiated = "Instantiated"
	Terminated   = "Terminated"
)

// Action is one entry of the history. Instance is the id of the AppContext that it used.
type Action struct {
	State    string    `json:"state"`
	Instance string    `json:"instance"`
	Time     time.Time `json:"time"`
	Revision int       `json:"revision"`
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

// Last is the latest action. A history always has one.
func (i Info) Last() Action {
	if len(i.Actions) == 0 {
		return Action{}
	}
	return i.Actions[len(i.Actions)-1]
}
