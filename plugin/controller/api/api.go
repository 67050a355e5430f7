// Package api is how the controller is asked for runs over HTTP: the requests
// and answers, and a client.
//
//	POST /v1/runs                          a Request; answered with Messages
//	GET  /v1/runs/NAME                     a Status
//	GET  /v1/runs/NAME?follow=true&from=N  the Messages from the N-th on
//
// Messages come one JSON object a line, while the run goes on, until the one
// that has the End. Anything else than 200 comes with a [Problem].
package api

// Request asks for a run.
type Request struct {
	// Experiment is the experiment's name.
	Experiment string `json:"experiment"`
	// Parameters are values for the experiment's parameters.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Workflow is the Chaos Mesh Workflow that asks, when one does: what
	// happens is written on it as Events too.
	Workflow *Workflow `json:"workflow,omitempty"`
	// Key makes it safe to ask again when the answer was lost: the same key of
	// the same user is the same run.
	Key string `json:"key,omitempty"`
}

// Workflow names a Chaos Mesh Workflow.
type Workflow struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// Kind is the kind of a message.
type Kind string

// The kinds of message.
const (
	// Queued: the run has been taken in, or moved up.
	Queued Kind = "queued"
	// Waiting: the run is the next one, and waits for something.
	Waiting Kind = "waiting"
	// Line: a line of the run's timeline.
	Line Kind = "line"
	// Ended is the last message.
	Ended Kind = "end"
)

// Message is one entry of what happens in a run.
type Message struct {
	Kind Kind   `json:"kind"`
	Run  string `json:"run,omitempty"`
	// Position is how many others wait before this one, of a queued one.
	Position int    `json:"position,omitempty"`
	Text     string `json:"text,omitempty"`
	End      *End   `json:"end,omitempty"`
}

// End is how a run ended.
type End struct {
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
	// ExitCode is that of the emco-chaos command for the verdict.
	ExitCode int `json:"exitCode"`
	// Report is the run's report as text; empty when the run never began.
	Report string `json:"report,omitempty"`
}

// State is how far a run is.
type State string

// The states of a run.
const (
	StateQueued  State = "queued"
	StateRunning State = "running"
	StateEnded   State = "ended"
)

// Status is how far a run is, and what it found.
type Status struct {
	Run        string `json:"run"`
	Experiment string `json:"experiment"`
	State      State  `json:"state"`
	End        *End   `json:"end,omitempty"`
}

// Problem is the answer to a request that is not granted.
type Problem struct {
	Error string `json:"error"`
}
