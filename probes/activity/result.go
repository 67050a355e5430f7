package activity

import "time"

// Observer takes what an activity sees while it runs, one call at a time.
type Observer interface {
	// Event reports that something happened that other steps may wait for.
	// Each of an activity's events comes at most once in a run of it.
	Event(name string, at time.Time, detail map[string]string)
	// Note reports something for the reader that nothing waits for, such as
	// a status that changed.
	Note(at time.Time, text string)
	// Resource reports what is made in the system or removed from it, before
	// and after it is done, so that a later process can clean up.
	Resource(resource Resource)
}

// Resource is something in the system that a run made, is about to make,
// removed, or could not remove.
type Resource struct {
	// Anchor names it in the system's own way.
	Anchor string
	State  ResourceState
	// Reason is why it is Left.
	Reason string
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
	// Passed: the system answered as its document promises.
	Passed Conclusion = "passed"
	// Failed: the system did not.
	Failed Conclusion = "failed"
	// Inconclusive: what had to be seen was not seen, and that says nothing
	// about the system.
	Inconclusive Conclusion = "inconclusive"
	// Errored: the activity could not do its work.
	Errored Conclusion = "error"
)

// Result is what came of an activity.
type Result struct {
	Conclusion Conclusion
	// Message is one sentence for the reader.
	Message string
	// Outcome is what became of a call, such as "accepted", "rejected 500" or
	// "connection-lost"; empty when the activity is not one call.
	Outcome string
	// Evidence is what the conclusion rests on, such as the last status.
	Evidence map[string]string
}
