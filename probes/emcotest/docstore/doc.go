// Package docstore is a small document store over TCP. It stands where EMCO has MongoDB: its clients meet the same
// rules about parents and children, and the same way of failing when the server is gone.
package docstore

import (
	"encoding/json"
	"errors"
)

// What the store refuses. EMCO maps each of them to an HTTP status of its own.
var (
	ErrNotFound      = errors.New("resource not found")
	ErrParentMissing = errors.New("parent resource not found")
	ErrHasChildren   = errors.New("parent child constraint")
)

// The operations that a client can ask for.
const (
	opFind   = "find"
	opList   = "list"
	opInsert = "insert"
	opRemove = "remove"
)

// request is one line of JSON from a client.
type request struct {
	Op     string          `json:"op"`
	Key    string          `json:"key"`
	Tag    string          `json:"tag,omitempty"`
	Parent string          `json:"parent,omitempty"`
	Depth  int             `json:"depth,omitempty"`
	Value  json.RawMessage `json:"value,omitempty"`
}

// reply is the one line of JSON that answers a request.
type reply struct {
	Refused string  `json:"refused,omitempty"`
	Entries []Entry `json:"entries,omitempty"`
}

// Entry is one value with the key of its document.
type Entry struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// refusals are the errors that travel by their text.
var refusals = []error{ErrNotFound, ErrParentMissing, ErrHasChildren}

func (r reply) err() error {
	if r.Refused == "" {
		return nil
	}
	for _, refusal := range refusals {
		if r.Refused == refusal.Error() {
			return refusal
		}
	}
	return errors.New(r.Refused)
}
