package emcoctl

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// shownLimit is the number of characters that are shown of an answer's body.
const shownLimit = 16 << 10

// Text is a call and its answer as emcoctl prints them:
//
//	---
//	POST --> URL: http://192.0.2.1:9015/v2/projects
//	Response Code: 201
//	Response: {"metadata":{"name":"p"}}
//
// and, when no answer came, what Go's client says of it:
//
//	Post "http://192.0.2.1:9015/v2/projects": dial tcp 192.0.2.1:9015: connect: connection refused
//
// The body is made fit to be shown: it comes from elsewhere.
func Text(answer emco.Answer) string {
	if answer.Code == 0 {
		return wireError(answer) + "\n"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "---\n%s --> URL: %s\nResponse Code: %d\n", answer.Request.Method, answer.URL, answer.Code)
	if len(answer.Body) > 0 {
		fmt.Fprintf(&text, "Response: %s\n", document.OneLine(string(answer.Body), shownLimit))
	}
	if answer.Request.Method == http.MethodPost && answer.Code == http.StatusAccepted {
		text.WriteString("API Response code 202. Waiting...\n")
	}
	return text.String()
}

// ErrorText is the line with which emcoctl gives up on an anchor, if no
// answer came; else it is empty. During is what it was doing, Apply or
// Delete.
func ErrorText(during, anchor string, answer emco.Answer) string {
	if answer.Code != 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s Error: %s\n", during, anchor, wireError(answer))
}

func wireError(answer emco.Answer) string {
	method := answer.Request.Method
	if len(method) > 1 {
		method = method[:1] + strings.ToLower(method[1:])
	}
	return fmt.Sprintf("%s %q: %s", method, answer.URL, answer.Outcome.Words)
}
