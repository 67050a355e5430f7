package activity

import "time"

// Observer takes what an activity sees while it runs, one call at a time.
type Observer interface {
	// Event reports that something happened that other steps may wait for.
	// Each of an activity's events comes at most once in a run of it.
	Event(name string, at time.Time, detail map[string]string)
	// Note tells the reader what nothing waits for, such as a status that changed.
	Note(at time.Time, text string)
	// Resource reports what is made in the system or removed from it, before
	// and after it is done, so that a later process can clean up.
	Resource(resource Resource)
}

// Resource is something in the system that a run makes or removes.
type Resource struct {
	Anchor string // its name in the system's own way
	State  ResourceState
	Reason string // why it is Left
}

// ResourceState is how far a resource has come.
type ResourceState string

// The states of a resource, in the order of its lifecycle.
const (
	Making  ResourceState = "making"
	Made    ResourceState = "made"
	Removed ResourceState = "removed"
	Left    ResourceState = "left"
)

// Conclusion is what an activity's result means for a run.
type Conclusion string

// The conclusions.
const (
	Passed       Conclusion = "passed"       // the system answered as its document promises
	Failed       Conclusion = "failed"       // the system did not
	Inconclusive Conclusion = "inconclusive" // not seen, which says nothing about the system
	Errored      Conclusion = "error"        // the activity could not do its work
)

// Result is what came of an activity.
type Result struct {
	Conclusion Conclusion
	Message    string            // one sentence for the reader
	Outcome    string            // of one call, such as "accepted", "rejected 500" or "connection-lost"
	Evidence   map[string]string // what the conclusion rests on, such as the last status
}
