// Package plan has the types of a plan: an experiment compiled for one
// target, ready for an engine that knows nothing of either.
//
// A plan is a set of steps. A step is a fault (a Chaos Mesh object) or an
// activity (something that a plugin does). Steps emit events; an event is
// named STEP.EVENT and may trigger other steps. Claims over the order of
// events are the plan's evidence.
package plan

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/activity"
)

// Plan is an experiment compiled for one target.
type Plan struct {
	Experiment  string            `json:"experiment"`
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Target      string            `json:"target"` // its name
	Parameters  map[string]string `json:"parameters,omitempty"`
	// Attempts is how often an Inconclusive run is tried, the first time included.
	Attempts int `json:"attempts"`
	// Given brings about the state that the steps of every attempt start from.
	Given Step `json:"given"`
	// Teardown takes back what Given made, at the end of every attempt.
	Teardown Step    `json:"teardown"`
	Steps    []Step  `json:"steps"`
	Evidence []Claim `json:"evidence,omitempty"`
	// Control marks a plan that wants no fault: what is seen without one.
	Control bool `json:"control,omitempty"`
	// Expected are the services whose pods may die without a fault of the run.
	Expected []string `json:"expected,omitempty"`
	// BlastRadius lists, for the reader, the resources that are not the run's
	// own, and what the run does to each.
	BlastRadius []string `json:"touches,omitempty"`
	// Source is the text of an experiment that came as a file: nobody else may have
	// that any more when the run is to be made again.
	Source string `json:"source,omitempty"`
}

// Limits of what makes up the name of a fault's object, RUN-ATTEMPT-STEP:
// Kubernetes and Chaos Mesh take 63 characters at most.
const (
	MaxRunName  = 20
	MaxAttempts = 99
	MaxStepName = 63 - len("-99-") - MaxRunName
)

// Experiment describes an experiment to a reader before it is compiled.
type Experiment struct {
	Name        string      `json:"name"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Parameters  []Parameter `json:"parameters,omitempty"`
}

// Parameter is a value that can be set for a run, ${NAME} in the experiment file.
type Parameter struct {
	Name string `json:"name"`
	// Type is any type but [activity.Mapping].
	Type activity.Type `json:"type"`
	// Default is empty when a value must be set, or is taken from Follows.
	Default string `json:"default,omitempty"`
	// Follows names a parameter of type call, for a parameter of type
	// service: its value is the service that answers that call.
	Follows string `json:"follows,omitempty"`
	// Allowed are the only values it can have; empty when any will do.
	Allowed     []string `json:"allowed,omitempty"`
	Description string   `json:"description,omitempty"`
}

// Names of the two steps that every plan has beside its own.
const (
	GivenStep    = "given"
	TeardownStep = "teardown"
)

// Step is one fault or one activity, and when it starts and ends.
type Step struct {
	Name string `json:"name"`
	// After are the events that must all have fired before the step starts.
	After []Ref `json:"after,omitempty"`
	// AfterAny are events of which one must have fired too.
	AfterAny []Ref `json:"afterAny,omitempty"`
	// Delay is waited for once all of After, and the first of AfterAny, have fired.
	Delay Duration `json:"delay,omitempty"`
	// While names an activity that must have started and not ended when this
	// step starts; else the step is skipped and the run is Inconclusive.
	While string `json:"while,omitempty"`
	// Until are the events at which the step ends: a fault is removed; an
	// activity that has not come to its answer is cancelled, and that is
	// Inconclusive. It is met when each event has fired or can no longer fire.
	Until []Ref `json:"until,omitempty"`
	// For is how long a fault stays on once it is injected; it is removed then.
	// Zero leaves that to Until, or to the end of the run.
	For Duration `json:"for,omitempty"`
	// Timeout is how long the step may take: an activity to its answer, a
	// fault to its injection. Always set in a compiled plan.
	Timeout Duration `json:"timeout"`

	// Exactly one of Fault and Activity is set.
	Fault    *Fault    `json:"fault,omitempty"`
	Activity *Activity `json:"activity,omitempty"`

	// Expect is the outcome that the activity must have, such as "accepted",
	// "rejected 500" or "connection-lost"; empty or [Any] when any will do.
	Expect string `json:"expect,omitempty"`
	// Otherwise maps outcomes other than Expect to what they make of the
	// run: "failed" or "error". What is not named makes it Inconclusive.
	Otherwise map[string]string `json:"otherwise,omitempty"`
}

// Fault is a Chaos Mesh object. The engine stamps name, labels and namespace.
type Fault struct {
	Kind    string          `json:"kind"`    // such as PodChaos
	Action  string          `json:"action"`  // such as pod-kill
	Summary string          `json:"summary"` // such as "pod-kill orchestrator"
	Object  json.RawMessage `json:"object"`
}

// Activity is something that a plugin does.
type Activity struct {
	// Name and Arguments are as the plugin's description says.
	Name      string         `json:"name"`
	Arguments map[string]any `json:"arguments,omitempty"`
	Summary   string         `json:"summary"` // such as "POST dig.instantiate"
	// Service is the service whose answer this is, when there is one.
	Service string `json:"service,omitempty"`
	// Events are all events the activity can emit, in their usual order.
	Events []string `json:"events"`
	// Ends are those of Events that end it: exactly one of them fires.
	Ends []string `json:"ends"`
	// Recheck says that what the activity found must still hold at the end of
	// the attempt: it is asked once more.
	Recheck bool `json:"recheck,omitempty"`
	// Measures names the recovery time that the activity ends when it passes,
	// such as "answers"; empty for none.
	Measures string `json:"measures,omitempty"`
	// Lasting says that what the activity sent may still take effect after it
	// is cancelled, so that a run that ends early waits for it: a call.
	Lasting bool `json:"lasting,omitempty"`
}

// The events of a fault. Those from Down to Ready are of one that stops
// something: what served is gone, a replacement is there (on a node, or started
// anew), and it serves.
const (
	Created     = "created"
	Injected    = "injected"
	Down        = "down"
	Rescheduled = "rescheduled"
	Ready       = "ready"
	Removed     = "removed"
)

// Started is the first event of every activity.
const Started = "started"

// Connected is the event of an activity that makes requests: one has a
// connection. It may come again.
const Connected = "connected"

// Sent is the event of an activity that makes a request: the request has left,
// whole. One that emits it otherwise, and came to an outcome without it, has
// sent nothing that can still take effect.
const Sent = "sent"

// Events are the events that the step can emit, in their usual order.
func (s Step) Events() []string {
	if s.Activity != nil {
		return s.Activity.Events
	}
	if s.Fault != nil && s.Fault.Stops() {
		return []string{Created, Injected, Down, Rescheduled, Ready, Removed}
	}
	return []string{Created, Injected, Removed}
}

// Ended reports whether something of the step's own ends it before the run does.
func (s Step) Ended() bool { return len(s.Until) > 0 || s.For > 0 }

// Ends are the events after which the step emits nothing more.
func (s Step) Ends() []string {
	if s.Activity != nil {
		return s.Activity.Ends
	}
	return []string{Removed}
}

func (s Step) Emits(event string) bool { return slices.Contains(s.Events(), event) }

// Stops reports whether the fault stops what it hits, with events down and ready. A
// test holds it equal to the table of package fault.
func (f Fault) Stops() bool { return f.Kind == "PodChaos" }

// StopsService reports whether the fault stops that service.
func (f Fault) StopsService(name string) bool {
	return f.Stops() && strings.HasSuffix(f.Summary, " "+name)
}

// Find returns the step of that name, Given and Teardown included.
func (p *Plan) Find(name string) (Step, bool) {
	if at := slices.IndexFunc(p.Steps, func(step Step) bool { return step.Name == name }); at >= 0 {
		return p.Steps[at], true
	}
	for _, step := range []Step{p.Given, p.Teardown} {
		if step.Name == name {
			return step, true
		}
	}
	return Step{}, false
}

// Ref names an event: the step that emits it, and its name.
type Ref struct {
	Step  string
	Event string
}

var refPattern = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$`)

// ParseRef reads STEP.EVENT.
func ParseRef(text string) (Ref, error) {
	match := refPattern.FindStringSubmatch(text)
	if match == nil {
		return Ref{}, fmt.Errorf("%q is not STEP.EVENT, such as kill.created", shown(text))
	}
	return Ref{Step: match[1], Event: match[2]}, nil
}

func (r Ref) String() string { return r.Step + "." + r.Event }

func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r *Ref) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRef(string(text))
	return err
}

// Claim is one piece of evidence: events that must all have fired, in this
// order. A claim of one event says only that it fired.
type Claim struct {
	Refs []Ref
}

// ParseClaim reads a claim such as "instantiate.sent < kill.created < kill.down".
func ParseClaim(text string) (Claim, error) {
	var claim Claim
	for part := range strings.SplitSeq(text, "<") {
		ref, err := ParseRef(strings.TrimSpace(part))
		if err != nil {
			return Claim{}, err
		}
		claim.Refs = append(claim.Refs, ref)
	}
	return claim, nil
}

func (c Claim) String() string {
	parts := make([]string, len(c.Refs))
	for i, ref := range c.Refs {
		parts[i] = ref.String()
	}
	return strings.Join(parts, " < ")
}

func (c Claim) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

func (c *Claim) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClaim(string(text))
	return err
}

// Duration is a [time.Duration] that is written as text, such as "1m30s".
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}
