package emco

// State is a state of a logical cloud or a deployment intent group, in
// EMCO's words. A state of EMCO's that is not listed here can come too.
type State string

// The states.
const (
	// Absent is no word of EMCO's: the resource is not there.
	Absent            State = "absent"
	Created           State = "Created"
	Approved          State = "Approved"
	Instantiating     State = "Instantiating"
	Instantiated      State = "Instantiated"
	InstantiateFailed State = "InstantiateFailed"
	Terminating       State = "Terminating"
	Terminated        State = "Terminated"
	TerminateFailed   State = "TerminateFailed"
)
