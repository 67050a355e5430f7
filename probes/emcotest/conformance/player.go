package conformance

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// player asks the records of one set.
type player struct {
	Options
	client  *emco.Client
	ledger  *ledger
	records []Record // of all sets
	names   names
	bodies  map[string]string      // the latest that a path took, for the duplicates
	early   map[int]emco.Answer    // of calls that were made side by side
	calls   func() context.Context // gives what lives as long as a call may
}

// unanswered says that EMCO did not answer, so that nothing can be compared.
type unanswered struct{ emco.Answer }

func (u *unanswered) Error() string {
	return fmt.Sprintf("%s %s: %s", u.Request.Method, u.Request.Anchor, u.Answer)
}

// call makes a call, given in the recorded names. It is not cut short by an
// interrupt: what was sent and not answered could still take effect while all
// is removed.
func (p *player) call(ctx context.Context, method, path, body string, file []byte) (emco.Answer, error) {
	if err := ctx.Err(); err != nil {
		return emco.Answer{}, err
	}
	path, query, _ := strings.Cut(path, "?")
	anchor := p.names.anchor(path)
	body = p.names.sent(path, body)
	request, err := raw(method, anchor, query, body, file)
	if err != nil {
		return emco.Answer{}, err
	}
	settle := p.ledger.begin(method, anchor, body)
	answer, err := p.client.Do(p.calls(), request)
	settle(answer)
	if err != nil {
		return emco.Answer{}, err
	}
	switch {
	case !answer.Outcome.Answered():
		return answer, &unanswered{answer}
	case answer.Code == http.StatusUnauthorized || answer.Code == http.StatusForbidden:
		return answer, fmt.Errorf("%s %s: %s; give a token that EMCO takes", method, anchor, answer)
	}
	return answer, nil
}

// ask asks a record and compares. A status is asked until it is the recorded
// one, since it lags: as long as it changes or tells of something under way,
// and for a while longer.
func (p *player) ask(ctx context.Context, record Record) (Result, error) {
	body, file := p.request(record)
	expected := record.said()
	limit := time.Now().Add(p.Patience)
	var before Said
	still := time.Now() // since when the answer has been the same
	for {
		answer, made := p.early[record.Number]
		if !made {
			var err error
			if answer, err = p.call(ctx, record.Method, record.Path, body, file); err != nil {
				return Result{}, err
			}
		}
		result := Result{Record: record, Request: answer.Request.Method + " " + answer.URL}
		got := p.names.said(answer)
		if same(expected, got) {
			result.Kind = AsRecorded
			return result, nil
		}
		if mark := passing[record.Number]; mark != "" && strings.Contains(got.Body, mark) {
			result.Kind, result.Reason = NotAsked, passed
			return result, nil
		}
		result.Kind = Different
		result.Expected, result.Got = parted(expected, got)
		now := time.Now()
		if got != before {
			before, still = got, now
		}
		settled := now.Sub(still) > p.Settle && !underWay(got.Body)
		if made || !strings.Contains(record.Path, "/status") || settled || now.After(limit) {
			return result, nil
		}
		if passing[record.Number] != "" {
			continue // the moment is short
		}
		if err := pause(ctx, p.Interval); err != nil {
			return Result{}, err
		}
	}
}

// underWay says whether a status tells of something that is not done.
func underWay(body string) bool {
	return strings.Contains(body, `tatus":"Instantiating"`) || strings.Contains(body, `tatus":"Terminating"`)
}
