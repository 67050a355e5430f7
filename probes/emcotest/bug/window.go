package bug

import "maps"

// Window is a stretch of a call in which a SIGKILL does harm. Without a kill in it nothing is different.
type Window struct {
	Service, Call string
	Again         bool // only in a call that something Terminated before is made
	Opens, Closes Place
	Harm          Harm
}

// Place is how far a call has come.
type Place int

// The places of instantiate. A terminate has only the last three.
const (
	FirstApp Place = iota // the AppContext has its first app, whole, and is not complete
	Ready                 // everything is written that rsync needs
	Heard                 // rsync has the event
	Written               // the state is in the store
)

// Harm is what a kill in a window leads to.
type Harm string

// The harms.
const (
	TakenUp    Harm = "taken up"   // once it is back, the service hands to rsync what was cut off, and writes no state
	Refuses    Harm = "refuses"    // all but a GET of the resource itself is refused for good: status, calls, DELETE
	RefusesIt  Harm = "refuses it" // the call is refused for good
	Unheard    Harm = "unheard"    // the next such call is put in rsync's queue, and rsync is not told
	Unattended Harm = "unattended" // the next such call is put there, and not even marked as work to do
	Forgets    Harm = "forgets"    // the next terminate leaves out an object
	Twice      Harm = "twice"      // the next terminate is sent to rsync twice
	Keeps      Harm = "keeps"      // DELETE is answered as if it was done, and does nothing
	Destroys   Harm = "destroys"   // the next DELETE is refused, and does what Refuses does; the AppContext is gone
)

// The bugs that are windows.
const (
	// BehindInAppContext takes up a half-written AppContext after the return: the edge has some of the objects of a
	// deployment intent group that is Approved. The kill must come between two writes to etcd.
	BehindInAppContext Bug = "behind-after-kill-in-app-context"
	// EndsFailedBeforeRsync takes up a termination without writing the state, so that the next one fails.
	EndsFailedBeforeRsync Bug = "ends-failed-after-kill-before-rsync"
	// StuckBeforeRsync refuses everything of a deployment intent group for good: status, calls, DELETE.
	StuckBeforeRsync Bug = "stuck-after-kill-before-rsync"
	// StuckInReinstantiate refuses for good to instantiate a deployment intent group again that was Terminated.
	StuckInReinstantiate Bug = "stuck-after-kill-in-re-instantiate"
	// LateBeforeRsync accepts the termination that is made again, and rsync hears of it only when it starts anew.
	LateBeforeRsync Bug = "late-after-kill-before-rsync"
	// LeaksOnEdgeBeforeState lets the termination of a group that was instantiated again leave an object on the edge.
	LeaksOnEdgeBeforeState Bug = "leaks-on-edge-after-kill-before-state"
	// LeaksCloudBeforeRsync answers the DELETE of a Terminated logical cloud by a 204, and keeps it.
	LeaksCloudBeforeRsync Bug = "leaks-cloud-after-kill-before-rsync"
	// NeverEndsBeforeState lets the instantiation of a logical cloud that is made again be under way for ever.
	NeverEndsBeforeState Bug = "never-ends-after-kill-before-state"
	// OppositeFailsBeforeRsync instantiates a logical cloud when asked again; its termination then fails.
	OppositeFailsBeforeRsync Bug = "opposite-fails-after-kill-before-rsync"
	// DestroysOnRefusedDelete refuses the first DELETE of a logical cloud or of what is below it, and destroys the
	// AppContext: from then on all of it is refused.
	DestroysOnRefusedDelete Bug = "destroys-on-refused-delete-after-kill"
)

var windows = map[Bug]Window{
	BehindInAppContext:       {"orchestrator", "instantiate", false, FirstApp, Ready, TakenUp},
	EndsFailedBeforeRsync:    {"orchestrator", "terminate", false, Ready, Heard, TakenUp},
	StuckBeforeRsync:         {"orchestrator", "instantiate", false, Ready, Heard, Refuses},
	StuckInReinstantiate:     {"orchestrator", "instantiate", true, FirstApp, Heard, RefusesIt},
	LateBeforeRsync:          {"orchestrator", "terminate", false, Ready, Heard, Unheard},
	LeaksOnEdgeBeforeState:   {"orchestrator", "instantiate", false, Heard, Written, Forgets},
	LeaksCloudBeforeRsync:    {"dcm", "terminate", false, Ready, Heard, Keeps},
	NeverEndsBeforeState:     {"dcm", "instantiate", false, Heard, Written, Unattended},
	OppositeFailsBeforeRsync: {"dcm", "instantiate", false, Ready, Heard, Twice},
	DestroysOnRefusedDelete:  {"dcm", "instantiate", false, Ready, Heard, Destroys},
}

// Windows are all bugs that are windows.
func Windows() map[Bug]Window { return maps.Clone(windows) }

// Windows are the windows of the set, by bug.
func (s Set) Windows() map[Bug]Window {
	own := map[Bug]Window{}
	for name, on := range s {
		if window, is := windows[name]; is && on {
			own[name] = window
		}
	}
	return own
}
