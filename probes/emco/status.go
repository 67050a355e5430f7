package emco

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// ErrNoStatus says that an answer to a status call gives no state.
var ErrNoStatus = errors.New("the answer gives no state")

// Status is EMCO's answer to a status call of a logical cloud or of a
// deployment intent group.
type Status struct {
	// Actions is the history of the resource's states, the oldest first.
	// It only grows.
	Actions []Action
	// ContextID is new with every instantiate; empty before the first.
	ContextID string
	// Deployed is the state of the deployment. It is empty for what was
	// never instantiated, and it lags: for some tenths of a second after a
	// call was accepted it can be that of before.
	Deployed State
	// Counts counts the resources by their state, such as Applied: 4.
	Counts map[string]int
	// Resources are the resources of all apps on all clusters; none in an
	// answer with output=summary.
	Resources []ResourceStatus
}

// Action is one entry of a resource's history.
type Action struct {
	State    State
	Instance string
	Time     time.Time
	Revision int
}

// ResourceStatus is the state of one object on one edge cluster.
type ResourceStatus struct {
	App          string
	Provider     string
	Cluster      string
	Connectivity string
	Kind         string
	Name         string
	State        string
}

// LastAction is the newest entry of the history; false if there is none.
func (s Status) LastAction() (Action, bool) {
	if len(s.Actions) == 0 {
		return Action{}, false
	}
	return s.Actions[len(s.Actions)-1], true
}

// Final says whether the deployment is in a state that EMCO does not leave
// by itself. Because the state lags, it need not be that of the last action.
func (s Status) Final() bool {
	switch s.Deployed {
	case Instantiated, InstantiateFailed, Terminated, TerminateFailed:
		return true
	}
	return false
}

// String is the state of the deployment, or that of the last action as long
// as there is no deployment, and both where they do not go together.
func (s Status) String() string {
	last, ok := s.LastAction()
	switch {
	case s.Deployed == "" && !ok:
		return "no state"
	case s.Deployed == "" && (last.State == Instantiated || last.State == Terminated):
		return fmt.Sprintf("nothing yet (last action %s)", last.State)
	case s.Deployed == "":
		return string(last.State)
	case ok && last.State != s.Deployed && last.State != following[s.Deployed]:
		return fmt.Sprintf("%s (last action %s)", s.Deployed, last.State)
	default:
		return string(s.Deployed)
	}
}

// following maps states of a deployment to the action they follow from.
var following = map[State]State{
	Instantiating:     Instantiated,
	InstantiateFailed: Instantiated,
	Terminating:       Terminated,
	TerminateFailed:   Terminated,
}

// ParseStatus reads the body of a status call, in its flavour with
// status=deployed and in the one with the old names. What is not one JSON
// object with a history is an error that wraps [ErrNoStatus]: EMCO also
// answers with an error line, or with such a line and a JSON line.
func ParseStatus(body []byte) (Status, error) {
	var read struct {
		States *struct {
			ContextID string `json:"statusctxid"`
			Actions   []struct {
				State    State  `json:"state"`
				Instance string `json:"instance"`
				Time     string `json:"time"`
				Revision int    `json:"revision"`
			} `json:"actions"`
		} `json:"states"`
		Deployed       State          `json:"deployedStatus"`
		OldDeployed    State          `json:"status"`
		DeployedCounts map[string]int `json:"deployedCounts"`
		OldCounts      map[string]int `json:"rsyncStatus"`
		Apps           []struct {
			Name     string `json:"name"`
			Clusters []struct {
				Provider        string `json:"clusterProvider"`
				Cluster         string `json:"cluster"`
				Connectivity    string `json:"connectivity"`
				OldConnectivity string `json:"readyStatus"`
				Resources       []struct {
					GVK struct {
						Kind string
					} `json:"GVK"`
					Name     string `json:"name"`
					State    string `json:"deployedStatus"`
					OldState string `json:"rsyncStatus"`
				} `json:"resources"`
			} `json:"clusters"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(body, &read); err != nil {
		return Status{}, fmt.Errorf("%w: %s", ErrNoStatus, document.Shown(string(body)))
	}
	if read.States == nil || len(read.States.Actions) == 0 {
		return Status{}, fmt.Errorf("%w: no history in %s", ErrNoStatus, document.Shown(string(body)))
	}
	status := Status{
		ContextID: read.States.ContextID,
		Deployed:  or(read.Deployed, read.OldDeployed),
		Counts:    read.DeployedCounts,
	}
	if status.Counts == nil {
		status.Counts = read.OldCounts
	}
	for _, a := range read.States.Actions {
		// A time that cannot be read is left zero: nothing depends on it.
		at, _ := time.Parse(time.RFC3339Nano, a.Time)
		status.Actions = append(status.Actions, Action{State: a.State, Instance: a.Instance, Time: at, Revision: a.Revision})
	}
	for _, app := range read.Apps {
		for _, cluster := range app.Clusters {
			for _, resource := range cluster.Resources {
				status.Resources = append(status.Resources, ResourceStatus{
					App:          app.Name,
					Provider:     cluster.Provider,
					Cluster:      cluster.Cluster,
					Connectivity: or(cluster.Connectivity, cluster.OldConnectivity),
					Kind:         resource.GVK.Kind,
					Name:         resource.Name,
					State:        or(resource.State, resource.OldState),
				})
			}
		}
	}
	return status, nil
}

func or[T ~string](value, otherwise T) T {
	if value != "" {
		return value
	}
	return otherwise
}

// Status reads the answer to a status call. Any other answer than a 200
// with a status gives an error that wraps [ErrNoStatus].
func (a Answer) Status() (Status, error) {
	switch {
	case a.Outcome.Kind != Accepted:
		return Status{}, fmt.Errorf("%w: %s", ErrNoStatus, a)
	case a.Cut:
		return Status{}, fmt.Errorf("%w: it is longer than %d bytes", ErrNoStatus, readBytes)
	}
	return ParseStatus(a.Body)
}
