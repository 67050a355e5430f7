package emco

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

// readBytes bounds what is read of a body.
const readBytes = 1 << 20

// Answer is the end of a request: EMCO's answer, or why there is none.
type Answer struct {
	Request        Request
	URL            string
	Outcome        Outcome
	Code           int // the HTTP status; 0 when no answer came
	ContentType    string
	Body           []byte    // at most its first MiB
	Cut            bool      // the body was longer than that
	Started, Ended time.Time // when the call began, and when its outcome was known
}

// Text is the body, fit to be shown: one line, at most 512 bytes.
func (a Answer) Text() string { return document.Shown(string(a.Body)) }

// String is the answer for a reader: `500 "text of the body"`, or the outcome with
// the wire's words when no answer came.
func (a Answer) String() string {
	switch {
	case a.Code == 0 && a.Outcome.Kind == Accepted:
		return a.Outcome.Words
	case a.Code == 0 || a.Outcome.Gateway:
		return a.Outcome.String() + ": " + a.Outcome.Words
	}
	status := strconv.Itoa(a.Code) + " " + http.StatusText(a.Code)
	if text := a.Text(); text != "" && a.Code >= 300 {
		return status + ": " + text
	}
	return status
}

func (a *Answer) read(response *http.Response, token string) error {
	defer response.Body.Close()
	a.ContentType = response.Header.Get("Content-Type")
	body, err := io.ReadAll(io.LimitReader(response.Body, readBytes+1))
	if err != nil {
		return errors.Join(errors.New("the answer broke off"), err)
	}
	if len(body) > readBytes {
		body, a.Cut = body[:readBytes], true
	}
	a.Code = response.StatusCode
	a.Body = []byte(withoutToken(string(body), token))
	return nil
}

// Found is a resource as EMCO answers with it. What its kind does not have is empty.
type Found struct {
	Anchor   string `json:"-"` // of what [Answer.Children] lists
	Metadata struct{ Name, UserData1, UserData2 string }
	Spec     struct {
		LogicalCloud             string // of a deployment intent group
		ClusterProvider, Cluster string // of a cluster reference
		Version                  string `json:"compositeAppVersion"` // of a composite app
		Host                     string // of a controller
		Port                     int
	}
	Label string `json:"clusterLabel"` // of a cluster's label, which has no more
}

func (f Found) Name() string { return cmp.Or(f.Metadata.Name, f.Label, "something without a name") }

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

// Missing reports whether EMCO itself answered that a resource does not exist: a
// 404 such as "Logical Cloud not found". The 404 of a router does not count.
func (a Answer) Missing() bool {
	text := a.Text()
	return a.Code == http.StatusNotFound && strings.HasSuffix(text, "not found") && text != "404 page not found"
}
