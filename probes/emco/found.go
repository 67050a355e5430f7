package emco

import (
	"encoding/json"
	"net"
	"strconv"
	"strings"
)

const markPrefix = "emco-chaos/"

// Mark is the userData1 of everything that a run makes.
func Mark(run string) string { return markPrefix + run }

// RunOf reads the name of the run out of a userData1; false if it is no mark.
func RunOf(userData1 string) (run string, ok bool) {
	run, ok = strings.CutPrefix(userData1, markPrefix)
	return run, ok && runPattern.MatchString(run)
}

// Found is a resource as EMCO answers with it. What its kind does not have is empty.
type Found struct {
	Metadata struct {
		Name      string `json:"name"`
		UserData1 string `json:"userData1"`
	} `json:"metadata"`
	Spec struct {
		LogicalCloud string `json:"logicalCloud"`        // of a deployment intent group
		Version      string `json:"compositeAppVersion"` // of a composite app
		Host         string `json:"host"`                // of a controller
		Port         int    `json:"port"`
	} `json:"spec"`
}

// Found reads the resource that a GET answered with; false if there is none.
func (a Answer) Found() (Found, bool) {
	var found Found
	err := json.Unmarshal(a.Body, &found)
	return found, err == nil && a.Outcome.Kind == Accepted
}

// Mark is the userData1 of the resource that a GET answered with, if any.
func (a Answer) Mark() string {
	found, _ := a.Found()
	return found.Metadata.UserData1
}

// List reads an answer that lists resources; false if it is no such list.
func (a Answer) List() ([]Found, bool) {
	var found []Found
	ok := a.Outcome.Kind == Accepted && !a.Cut && json.Unmarshal(a.Body, &found) == nil
	return found, ok
}

// Controller is the address, as HOST:PORT, of the controller that a GET
// answered with; false if it has none.
func (a Answer) Controller() (address string, ok bool) {
	found, ok := a.Found()
	return net.JoinHostPort(found.Spec.Host, strconv.Itoa(found.Spec.Port)), ok && found.Spec.Host != ""
}
