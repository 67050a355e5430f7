// Package v1alpha1 has the object that a run of an experiment is in the
// Kubernetes API: runs.emco-chaos.io.
//
// +kubebuilder:object:generate=true
// +groupName=emco-chaos.io
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the version of the API that this package has.
var GroupVersion = schema.GroupVersion{Group: "emco-chaos.io", Version: "v1alpha1"}

// AddToScheme has a scheme know the kinds of this package.
func AddToScheme(known *runtime.Scheme) error {
	known.AddKnownTypes(GroupVersion, &Run{}, &RunList{})
	metav1.AddToGroupVersion(known, GroupVersion)
	return nil
}

// Run is one run of a chaos experiment on the EMCO that emco-chaos is installed
// for. Creating it asks for the run, its status says what came of it, and
// deleting it ends it: faults are removed first, then what the run made in EMCO.
// Runs on one target come one after another, in the order of their creation.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ecrun
// +kubebuilder:printcolumn:name=Experiment,type=string,JSONPath=.status.experiment
// +kubebuilder:printcolumn:name=Phase,type=string,JSONPath=.status.phase
// +kubebuilder:printcolumn:name=Verdict,type=string,JSONPath=.status.verdict
// +kubebuilder:printcolumn:name=Outage,type=string,JSONPath=.status.outage
// +kubebuilder:printcolumn:name=Recovered in,type=string,JSONPath=.status.recoveredIn
// +kubebuilder:printcolumn:name=Age,type=date,JSONPath=.metadata.creationTimestamp
// +kubebuilder:printcolumn:name=Attempt,type=integer,JSONPath=.status.attempt,priority=1
// +kubebuilder:printcolumn:name=Reason,type=string,JSONPath=.status.reason,priority=1
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="the name of a Run has at most 63 characters"
type Run struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec says what to run. It cannot be changed: create another Run instead.
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="the spec of a Run cannot be changed; create another Run"
	// +kubebuilder:validation:XValidation:rule="[has(self.experiment), has(self.text), has(self.map)].filter(given, given).size() == 1",message="give one of experiment, text and map, and not two"
	// +kubebuilder:validation:XValidation:rule="!has(self.map) || !has(self.parameters) && !has(self.attempts)",message="parameters and attempts are for an experiment; a crash map has none"
	Spec RunSpec `json:"spec"`
	// Status says how far the run is and what it found. The controller writes it.
	Status RunStatus `json:"status,omitempty"`
}

// RunList is a list of Runs.
//
// +kubebuilder:object:root=true
type RunList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Run `json:"items"`
}

// RunSpec says what to run.
type RunSpec struct {
	// Experiment is the name of an experiment that the plugin brings, such as
	// dig-instantiate-in-flight; `emco-chaos list` shows them all.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Experiment string `json:"experiment,omitempty"`
	// Text is an experiment of your own, as YAML, in place of the name of one.
	// `emco-chaos validate` checks it.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=65536
	Text string `json:"text,omitempty"`
	// Map has a crash map made in place of an experiment: the moments of EMCO's calls
	// at which it does not recover from the death of the service that answers. It
	// passes when there are none. It may take hours, and no other Run has its turn
	// meanwhile: map.budget limits it.
	Map *MapSpec `json:"map,omitempty"`
	// Parameters are values for the experiment's parameters, by their names;
	// `emco-chaos list` shows which there are. One that is left out has the
	// experiment's default.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(name, size(name) <= 63 && size(self[name]) <= 1024)",message="a parameter has a name of at most 63 and a value of at most 1024 characters"
	Parameters map[string]string `json:"parameters,omitempty"`
	// Attempts is how often the run is tried while its verdict is Inconclusive,
	// the first time included. Left out, it is the experiment's own number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10
	Attempts int32 `json:"attempts,omitempty"`
	// Target is the name of the target that the run is for; the chart names it
	// after its release. Left out, it is that of the controller of this namespace.
	// Another name ends the run in Error, so that no manifest hits an EMCO that it
	// was not written for.
	// +kubebuilder:validation:MaxLength=63
	Target string `json:"target,omitempty"`
	// Workflow is the name of the Chaos Mesh Workflow of this namespace that asked
	// for the run. It then owns the Run, and what happens is written as Events on
	// it and on its Schedule too.
	// +kubebuilder:validation:MaxLength=63
	Workflow string `json:"workflow,omitempty"`
	// TTLAfterFinished is how long the Run stays after it has finished, such as
	// 24h. Left out, it stays until there are enough newer ones of the same
	// experiment (the chart's runs.history).
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^([0-9]+(s|m|h))+$`
	TTLAfterFinished *metav1.Duration `json:"ttlAfterFinished,omitempty"`
}

// MapSpec says which crash points a crash map is made of. Left empty ({}), it is
// made of all.
type MapSpec struct {
	// Calls are the calls that are mapped, such as dig.terminate. Left out, it is
	// all of the life cycle.
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=63
	Calls []string `json:"calls,omitempty"`
	// From is the state that the calls are made in, such as Approved. Left out, it is
	// each in which EMCO accepts them.
	// +kubebuilder:validation:MaxLength=63
	From string `json:"from,omitempty"`
	// Points is a regular expression: only the crash points with such names are
	// tried, for instance rsync-done$.
	// +kubebuilder:validation:MaxLength=253
	Points string `json:"points,omitempty"`
	// Longest is how many back ends a call is led past at most. Left out, it is past
	// all that it comes to.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=16
	Longest int32 `json:"longest,omitempty"`
	// Share has calls on different deployment intent groups share their kills, for
	// fewer runs.
	Share bool `json:"share,omitempty"`
	// Moments is how many kills at random moments are made for each call and state,
	// and Seed decides them.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	Moments int32 `json:"moments,omitempty"`
	// Seed is what the random moments are drawn from.
	// +kubebuilder:validation:Minimum=0
	Seed int64 `json:"seed,omitempty"`
	// Budget is how long runs may begin, such as 40m. A map whose budget is spent
	// before all points are tried is Inconclusive, unless it has found something.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^([0-9]+(s|m|h))+$`
	Budget *metav1.Duration `json:"budget,omitempty"`
}

// Phase is how far a run is.
//
// +kubebuilder:validation:Enum=Queued;Running;CleaningUp;Finished
type Phase string

// The phases of a run.
const (
	Queued     Phase = "Queued"     // it waits for its turn; the condition Started says for what
	Running    Phase = "Running"    // an attempt is under way
	CleaningUp Phase = "CleaningUp" // what the run did is being taken back
	Finished   Phase = "Finished"   // nothing of it is under way any more
)

// Types of the conditions of a Run.
const (
	ConditionStarted  = "Started"  // False while the run waits, with a message that says for what
	ConditionFinished = "Finished" // True once the run has ended and is cleaned up; its reason is the verdict
)

// RunStatus says how far a run is and what it found.
type RunStatus struct {
	// Phase is how far the run is: Queued (it waits for its turn; the condition
	// Started says for what), Running, CleaningUp (faults and resources are being
	// removed), Finished.
	Phase Phase `json:"phase,omitempty"`
	// Experiment is the experiment's name, also when the spec has its text.
	// +kubebuilder:validation:MaxLength=63
	Experiment string `json:"experiment,omitempty"`
	// ID names the run on whatever it makes: the label emco-chaos.io/run of its
	// faults, and the names of its resources in EMCO and on the edge.
	// +kubebuilder:validation:MaxLength=20
	ID string `json:"id,omitempty"`
	// Verdict is Passed (EMCO recovered as the experiment demands), Failed (it did
	// not), Inconclusive (the evidence that the fault hit where it was aimed is
	// not there, so nothing is said) or Error (the tool, the cluster or the given
	// state failed). It is there once the run has finished.
	// +kubebuilder:validation:Enum=Passed;Failed;Inconclusive;Error
	Verdict string `json:"verdict,omitempty"`
	// Reason says in a sentence why the verdict is not Passed.
	// +kubebuilder:validation:MaxLength=2048
	Reason string `json:"reason,omitempty"`
	// Attempt is the attempt that is under way or that the verdict is of, from 1.
	Attempt int32 `json:"attempt,omitempty"`
	// QueuedTime is when the controller took the run into its queue.
	QueuedTime *metav1.MicroTime `json:"queuedTime,omitempty"`
	// StartTime is when the run had the target for itself and began.
	StartTime *metav1.MicroTime `json:"startTime,omitempty"`
	// CompletionTime is when everything was removed that the run made, but for
	// what is listed in left.
	CompletionTime *metav1.MicroTime `json:"completionTime,omitempty"`
	// Outage is how long the service was away that the fault stopped: from the
	// moment it was seen down until what takes its place was ready.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Outage *metav1.Duration `json:"outage,omitempty"`
	// RecoveredIn is how long EMCO needed to be in the state that the experiment
	// demands, counted from the moment that the fault hit. Only a run that passed
	// has it.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	RecoveredIn *metav1.Duration `json:"recoveredIn,omitempty"`
	// Timeline is what happened, in order. One of more than 500 lines ends with a
	// line that says so; the journal has all of it.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=500
	Timeline []Moment `json:"timeline,omitempty"`
	// Evidence are the claims that must be true for the run to count, and whether
	// they are.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Evidence []Claim `json:"evidence,omitempty"`
	// Map is what a crash map has found so far.
	Map *MapStatus `json:"map,omitempty"`
	// Left is what could not be removed, and what may still happen.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MaxLength=1024
	Left []string `json:"left,omitempty"`
	// Journal says where everything that happened is kept. `emco-chaos report
	// run/NAME` reads it.
	Journal *Journal `json:"journal,omitempty"`
	// Conditions are Started, which is False while the run waits and says for
	// what, and Finished, whose reason is the verdict.
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// Moment is one thing that happened in a run.
type Moment struct {
	// At is when it happened, counted from the beginning of the run.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	At metav1.Duration `json:"at"`
	// Step is the step of the experiment that it happened in, if it was one.
	// +kubebuilder:validation:MaxLength=63
	Step string `json:"step,omitempty"`
	// Text says what happened.
	// +kubebuilder:validation:MaxLength=1024
	Text string `json:"text"`
}

// Claim is one claim of the evidence.
type Claim struct {
	// Text is the claim: events that must have happened in this order.
	// +kubebuilder:validation:MaxLength=1024
	Text string `json:"text"`
	// Holds says whether it is true.
	Holds bool `json:"holds"`
	// Missing says why it is not.
	// +kubebuilder:validation:MaxLength=1024
	Missing string `json:"missing,omitempty"`
}

// MapStatus is what a crash map has found so far.
type MapStatus struct {
	// Runs is how many runs were made.
	Runs int32 `json:"runs"`
	// Points is how many crash points were tried.
	Points int32 `json:"points"`
	// Covered is how many of the points a run said something of.
	Covered int32 `json:"covered"`
	// Findings are the points that EMCO does not recover from, the first hundred.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Findings []Finding `json:"findings,omitempty"`
	// ConfigMap is the name of the ConfigMap that has the whole map as map.json, and
	// for each finding an experiment that replays it. It goes with the Run.
	// +kubebuilder:validation:MaxLength=253
	ConfigMap string `json:"configMap,omitempty"`
}

// Finding is a crash point that EMCO does not recover from.
type Finding struct {
	// Point is its name, and that of the experiment that replays it.
	// +kubebuilder:validation:MaxLength=63
	Point string `json:"point"`
	// Where says in words where in the call it is.
	// +kubebuilder:validation:MaxLength=1024
	Where string `json:"where"`
	// Consequence is what the death leads to: "behind its back", "ends failed",
	// "stuck", "leaks" or "late".
	// +kubebuilder:validation:MaxLength=63
	Consequence string `json:"consequence"`
	// Words are those by which EMCO or the edge shows it.
	// +kubebuilder:validation:MaxLength=1024
	Words string `json:"words"`
	// WayOut is what takes away what it leaves.
	// +kubebuilder:validation:MaxLength=1024
	WayOut string `json:"wayOut,omitempty"`
}

// Journal says where everything that happened in a run is kept.
type Journal struct {
	// ConfigMap is the name of the ConfigMap that has it, compressed by gzip, under
	// journal.jsonl.gz. It goes with the Run.
	// +kubebuilder:validation:MaxLength=253
	ConfigMap string `json:"configMap"`
	// Omitted is how many records of the beginning are left out, because all of
	// them are too many for a ConfigMap.
	Omitted int32 `json:"omitted,omitempty"`
}
