package emco

import (
	"encoding/json"
	"strings"
)

// markPrefix stands before the run's name in userData1 of everything that a
// run makes in EMCO.
const markPrefix = "emco-chaos/"

// Mark is what a run writes into userData1 of everything that it makes.
func Mark(run string) string { return markPrefix + run }

// RunOf reads the name of the run out of a userData1; false if it is no
// mark.
func RunOf(userData1 string) (run string, ok bool) {
	run, ok = strings.CutPrefix(userData1, markPrefix)
	return run, ok && runPattern.MatchString(run)
}

// Mark is the userData1 of the resource that a GET answered with; empty if
// it has none.
func (a Answer) Mark() string {
	var found struct {
		Metadata struct {
			UserData1 string `json:"userData1"`
		} `json:"metadata"`
	}
	// What is no JSON has no mark.
	_ = json.Unmarshal(a.Body, &found)
	return found.Metadata.UserData1
}

// Listed is one entry of an answer that lists resources.
type Listed struct {
	Name      string
	UserData1 string
}

// List reads an answer that lists resources; false if it is no such list.
func (a Answer) List() ([]Listed, bool) {
	var found []struct {
		Metadata struct {
			Name      string `json:"name"`
			UserData1 string `json:"userData1"`
		} `json:"metadata"`
	}
	if a.Outcome.Kind != Accepted || a.Cut || json.Unmarshal(a.Body, &found) != nil {
		return nil, false
	}
	var list []Listed
	for _, f := range found {
		list = append(list, Listed{Name: f.Metadata.Name, UserData1: f.Metadata.UserData1})
	}
	return list, true
}
