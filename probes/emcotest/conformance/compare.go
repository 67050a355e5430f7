package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// The parts of an answer that are new each time.
var (
	anyTime       = regexp.MustCompile(`"time":"[0-9-]+T[0-9:]+(\.[0-9]+)?Z"`)
	anyID         = regexp.MustCompile(`"[0-9]{10,20}"`)
	anyAddress    = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+:[0-9]+`)
	anyConnection = regexp.MustCompile(`\[-[0-9]+\]`)
	// A connection whose server was killed ends either way; which one is
	// chance.
	anyEnd = regexp.MustCompile(`read tcp [^ ]+: read: connection reset by peer|EOF`)
)

// normal replaces what is new each time; ids by their order, so that it is
// seen which are the same.
func normal(body string) string {
	ids := map[string]string{}
	body = anyTime.ReplaceAllString(body, `"time":"T"`)
	body = anyID.ReplaceAllStringFunc(body, func(id string) string {
		if ids[id] == "" {
			ids[id] = fmt.Sprintf(`"#%d"`, len(ids))
		}
		return ids[id]
	})
	body = anyEnd.ReplaceAllString(body, "END")
	body = anyAddress.ReplaceAllString(body, "ADDRESS")
	if problems, ok := strings.CutPrefix(body, "Invalid Input:\n"); ok { // in random order
		lines := strings.Split(problems, "\n")
		slices.Sort(lines)
		body = "Invalid Input:\n" + strings.Join(lines, "\n")
	}
	return anyConnection.ReplaceAllString(body, "[-N]")
}

// Said is an answer in the records' words, fit to be compared: with the
// recorded names, and without what is new each time.
type Said struct {
	Status      int    `json:"status"`
	ContentType string `json:"contentType"`
	Body        string `json:"body"`
}

// String is the answer for a reader, in one line.
func (s Said) String() string {
	text := fmt.Sprint(s.Status)
	if s.ContentType != "" {
		text += " " + document.Shown(s.ContentType)
	}
	if body := document.Shown(s.Body); body != "" {
		text += ": " + body
	}
	return text
}

func (r Record) said() Said { return Said{r.Status, r.ContentType, normal(r.Body)} }

func (n names) said(answer emco.Answer) Said {
	return Said{answer.Code, answer.ContentType, normal(n.recorded(string(answer.Body)))}
}

// same compares an answer with what is expected.
func same(expected, got Said) bool {
	begin, cut := strings.CutSuffix(expected.Body, "...")
	return got.Status == expected.Status && got.ContentType == expected.ContentType &&
		(got.Body == expected.Body || cut && strings.HasPrefix(got.Body, begin))
}

const (
	// near is how much is kept of two bodies before the place where they
	// part, kept how much of each in all.
	near = 60
	kept = 4 << 10
)

// parted cuts from two answers what is the same at the beginning of long
// bodies, so that the difference is seen, and what is too long at the end.
func parted(expected, got Said) (Said, Said) {
	a, b := expected.Body, got.Body
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	if at > near {
		expected.Body = "…" + strings.ToValidUTF8(a[at-near:], "")
		got.Body = "…" + strings.ToValidUTF8(b[at-near:], "")
	}
	for _, body := range []*string{&expected.Body, &got.Body} {
		if len(*body) > kept {
			*body = strings.ToValidUTF8((*body)[:kept], "") + "…"
		}
	}
	return expected, got
}
