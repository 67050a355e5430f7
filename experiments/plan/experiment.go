package plan

import "github.com/emco-chaos/emco-chaos/probes/activity"

// Experiment describes an experiment to a reader before it is compiled.
type Experiment struct {
	Name        string
	Title       string
	Description string
	Parameters  []Parameter
}

// Parameter is a value that can be set for a run. The experiment file refers to
// it as ${NAME}.
type Parameter struct {
	Name string
	// Type is any type but [activity.Mapping].
	Type activity.Type
	// Default is the value when none is set; empty when one must be set, or
	// is taken from Follows.
	Default string
	// Follows names a parameter of type call, for a parameter of type
	// service: its value is the service that answers that call.
	Follows string `json:",omitempty"`
	// Allowed are the only values it can have; empty when any will do.
	Allowed     []string
	Description string
}
