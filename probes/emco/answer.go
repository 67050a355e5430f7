package emco

import (
	"errors"
	"io"
	"net/http"
	"strconv"
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
		return errors.Join(errBrokenBody, err)
	}
	if len(body) > readBytes {
		body, a.Cut = body[:readBytes], true
	}
	a.Code = response.StatusCode
	a.Body = []byte(withoutToken(string(body), token))
	return nil
}
