// Package journal keeps what happened in a run, as JSON lines. Verdicts and
// reports are made from it alone. Every line is written at once and whole, so
// that a run whose process died leaves what it had seen so far.
package journal

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/experiments/plan"
)

// Kind is the kind of a record.
type Kind string

// The kinds of record.
const (
	Run         Kind = "run"         // the first record: which run, and its plan
	Attempt     Kind = "attempt"     // begins one attempt; all until the next belong to it
	Event       Kind = "event"       // a step emitted an event
	Note        Kind = "note"        // something seen that nothing waits for
	Resource    Kind = "resource"    // something was made in the target system, or removed
	Result      Kind = "result"      // an activity came to its answer
	Recheck     Kind = "recheck"     // whether what an activity had found still holds at the attempt's end
	Disturbance Kind = "disturbance" // something happened to a service beside the run's faults
	Skipped     Kind = "skipped"     // a step will not start, and why
	Trouble     Kind = "trouble"     // the tool, cluster or plugin failed, or the run was interrupted
	Verdict     Kind = "verdict"     // the verdict on the records so far; the last one counts
	Left        Kind = "left"        // something that could not be removed, or that may still happen
	End         Kind = "end"         // the last record: everything of the run is cleaned up, or Left
	Broken      Kind = "broken"      // what [Read] cannot take for a record; it is never written
)

// Record is one line of a journal. Which fields are set depends on Kind.
type Record struct {
	Kind Kind `json:"kind"`
	// At is when it happened, in nanoseconds since the journal was opened.
	At time.Duration `json:"at"`
	// Time is the same moment of the day, for the reader alone.
	Time time.Time `json:"time"`

	Run     string     `json:"run,omitempty"`
	Plan    *plan.Plan `json:"plan,omitempty"`
	Version string     `json:"version,omitempty"`
	// Versions are those of the other parts, by name, and Target is a hash of
	// the target.
	Versions map[string]string `json:"versions,omitempty"`
	Target   string            `json:"target,omitempty"`

	Attempt int `json:"attempt,omitempty"`

	Step   string            `json:"step,omitempty"`
	Event  string            `json:"event,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
	Text   string            `json:"text,omitempty"`

	Service string `json:"service,omitempty"`

	Anchor string `json:"anchor,omitempty"`
	State  string `json:"state,omitempty"`

	Conclusion string            `json:"conclusion,omitempty"`
	Outcome    string            `json:"outcome,omitempty"`
	Evidence   map[string]string `json:"evidence,omitempty"`

	Verdict string `json:"verdict,omitempty"`

	// Previous is a hash of the line before; the first line of a run has none.
	Previous string `json:"previous,omitempty"`
}

// Keys of the details of a fault's event: the moment was not before the one, and
// the other is the system's own time of it. Both are RFC 3339.
const (
	NotBefore = "notBefore"
	Told      = "told"
)

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	opened   time.Time
	mu       sync.Mutex
	out      io.Writer
	records  []Record
	previous string
	follow   []func(Record)
	err      error
}

// New opens a journal that is written to out, one line a record. Each
// follower is called with every record, in order.
func New(out io.Writer, follow ...func(Record)) *Journal {
	return &Journal{opened: time.Now(), out: out, follow: follow}
}

// Add writes a record of something that happened at the given time, and returns
// what it wrote.
func (j *Journal) Add(at time.Time, record Record) Record {
	record.At, record.Time = at.Sub(j.opened), at.Round(0).UTC()
	j.mu.Lock()
	defer j.mu.Unlock()
	record.Previous = j.previous
	j.records = append(j.records, record)
	line, err := json.Marshal(record)
	j.previous = hash(line)
	if err == nil {
		_, err = j.out.Write(append(line, '\n'))
	}
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("write the journal: %w", err)
	}
	for _, follower := range j.follow {
		follower(record)
	}
	return record
}

// Records returns all records so far, in the order of their writing.
func (j *Journal) Records() []Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.records)
}

// Err returns the first error of writing, if any: the run's records are then
// in memory alone.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Split splits records before each of a kind, and leaves out those before the first.
func Split(records []Record, kind Kind) [][]Record {
	var parts [][]Record
	for _, record := range records {
		if record.Kind == kind {
			parts = append(parts, nil)
		}
		if n := len(parts); n > 0 {
			parts[n-1] = append(parts[n-1], record)
		}
	}
	return parts
}
