// Package conformance asks an EMCO the questions that a real one, of release
// 22.12, was asked, and compares the answers: whether they are as recorded
// tells whether what is concluded from them holds for that EMCO too.
package conformance

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
)

//go:embed recorded.jsonl
var recorded []byte

// Record is one call that a real EMCO answered.
type Record struct {
	// Number is the record's place, from 1.
	Number int `json:"-"`
	// Set names the records that were made one after the other on one EMCO
	// that was empty before.
	Set string `json:"set"`
	// Given says what the call came upon, Call what was asked.
	Given string `json:"given"`
	Call  string `json:"call"`
	// Method and Path are the request's; {CA} and {DIG} stand in the path
	// for the pieces of the composite app and of the deployment intent group.
	Method string `json:"method"`
	Path   string `json:"path"`
	// Status, ContentType and Body are the answer. A body that was cut when
	// it was recorded ends in three dots.
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
}

// Records lists the records in the order of their making.
func Records() ([]Record, error) {
	var records []Record
	for i, line := range bytes.Split(bytes.TrimSpace(recorded), []byte("\n")) {
		record := Record{Number: i + 1}
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, fmt.Errorf("recorded.jsonl:%d: %w", record.Number, err)
		}
		records = append(records, record)
	}
	return records, nil
}

// Sets lists the names of the records' sets in the order of their making.
func Sets() ([]string, error) {
	records, err := Records()
	if err != nil {
		return nil, err
	}
	var sets []string
	for _, record := range records {
		if len(sets) == 0 || sets[len(sets)-1] != record.Set {
			sets = append(sets, record.Set)
		}
	}
	return sets, nil
}
