package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// step is something that is done before a record is asked.
type step interface {
	do(ctx context.Context, p *player) error
}

// several are steps one after the other.
type several []step

func (s several) do(ctx context.Context, p *player) error {
	for _, each := range s {
		if err := each.do(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// unprepared says that EMCO did not come to the state that a record needs.
type unprepared struct{ what string }

func (u *unprepared) Error() string { return u.what }

// demand makes a call and wants a certain code.
func (p *player) demand(ctx context.Context, method, path, body string, file []byte, code int) error {
	got, err := p.call(ctx, method, path, body, file)
	if err != nil {
		return err
	}
	if got.Code != code {
		return &unprepared{fmt.Sprintf("%s %s: %s; want %d", method, got.Request.Anchor, got, code)}
	}
	return nil
}

// create makes resources.
type create []creation

func (c create) do(ctx context.Context, p *player) error {
	for _, each := range c {
		if err := p.demand(ctx, http.MethodPost, each.path, each.body, p.file(each.path, each.body), http.StatusCreated); err != nil {
			return err
		}
	}
	return nil
}

// remove removes what is at a path.
type remove string

func (r remove) do(ctx context.Context, p *player) error {
	return p.demand(ctx, http.MethodDelete, string(r), "", nil, http.StatusNoContent)
}

// accept posts what EMCO has to accept.
type accept string

func (a accept) do(ctx context.Context, p *player) error {
	return p.demand(ctx, http.MethodPost, string(a), "", nil, http.StatusAccepted)
}

// reach waits until the status of what is at a path gives a state.
type reach struct{ path, state string }

func (r reach) do(ctx context.Context, p *player) error {
	return p.await(ctx, r.path, p.Interval, r.state)
}

// catch waits for a state that passes quickly, or for the one that follows it.
type catch struct{ path, state, following string }

func (c catch) do(ctx context.Context, p *player) error {
	const quickly = 5 * time.Millisecond
	return p.await(ctx, c.path, min(quickly, p.Interval), c.state, c.following)
}

// await looks at a status until it gives one of the states.
func (p *player) await(ctx context.Context, path string, interval time.Duration, states ...string) error {
	for limit := time.Now().Add(p.Patience); ; {
		got, err := p.call(ctx, http.MethodGet, path+"/status?status=deployed&output=summary", "", nil)
		if err != nil {
			return err
		}
		status, err := got.Status()
		if err == nil && slices.Contains(states, string(status.Deployed)) {
			return nil
		}
		if time.Now().After(limit) {
			return &unprepared{fmt.Sprintf("%s is not %s within %v; the last status: %s", p.names.anchor(path),
				strings.Join(states, " or "), p.Patience, document.Shown(string(got.Body)))}
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

// register makes sure that rsync is registered. The registration is shared:
// it is never changed, and never removed.
type register struct{}

func (register) do(ctx context.Context, p *player) error {
	got, err := p.call(ctx, http.MethodGet, "/v2/controllers/"+emco.RsyncName, "", nil)
	if err != nil || got.Code == http.StatusOK {
		return err
	}
	if !got.Missing() {
		return &unprepared{fmt.Sprintf("GET %s: %s; want 200 or 404", got.Request.Anchor, got)}
	}
	host, text, err := net.SplitHostPort(p.Rsync)
	port, wrong := strconv.Atoi(text)
	if err != nil || wrong != nil {
		return errors.New("rsync is not registered with this EMCO, and the target does not name its gRPC port: register it, or give the target services: {rsync: {address: HOST:PORT}}")
	}
	body := fmt.Sprintf(`{"metadata":{"name":%q},"spec":{"host":%q,"port":%d}}`, emco.RsyncName, host, port)
	return p.demand(ctx, http.MethodPost, "/v2/controllers", body, nil, http.StatusCreated)
}

// kill, restart, hold, drop and release need a hand; without one they are
// not done, and what shows only then is not asked.

type kill string

func (k kill) do(_ context.Context, p *player) error {
	if p.Hand == nil {
		return nil
	}
	return p.Hand.Kill(string(k))
}

type restart string

func (r restart) do(_ context.Context, p *player) error {
	if p.Hand == nil {
		return nil
	}
	return p.Hand.Restart(string(r))
}

type hold struct {
	link  Link
	texts []string // with {object} for what begins the names of the edge's objects
}

func (h hold) do(_ context.Context, p *player) error {
	if p.Hand == nil {
		return nil
	}
	var texts []string
	for _, text := range h.texts {
		texts = append(texts, strings.ReplaceAll(text, "{object}", p.names.object()))
	}
	p.Hand.Link(h.link).Hold(texts...)
	return nil
}

type drop Link

func (d drop) do(_ context.Context, p *player) error {
	if p.Hand != nil {
		p.Hand.Link(Link(d)).Drop()
	}
	return nil
}

type release Link

func (r release) do(_ context.Context, p *player) error {
	if p.Hand != nil {
		p.Hand.Link(Link(r)).Release()
	}
	return nil
}

// broken asks records side by side and kills a service while all of them wait
// for it.
type broken struct {
	first, last int
	service     string
	clients     []string
}

func (b broken) do(ctx context.Context, p *player) error {
	if p.Hand == nil {
		return nil
	}
	var links []Hold
	for _, client := range b.clients {
		link := p.Hand.Link(Link{client, b.service})
		link.Hold()
		links = append(links, link)
	}
	free := sync.OnceFunc(func() {
		for _, link := range links {
			link.Release()
		}
	})
	var calls sync.WaitGroup
	defer calls.Wait()
	defer free()
	records := p.records[b.first-1 : b.last]
	answers, failures := make([]emco.Answer, len(records)), make([]error, len(records))
	for i, record := range records {
		body, file := p.request(record)
		calls.Go(func() { answers[i], failures[i] = p.call(ctx, record.Method, record.Path, body, file) })
	}
	for limit := time.Now().Add(p.Patience); ; {
		waiting := 0
		for _, link := range links {
			waiting += link.Waiting()
		}
		if waiting == len(records) {
			break
		}
		if time.Now().After(limit) {
			return &unprepared{fmt.Sprintf("only %d of %d calls wait for %s", waiting, len(records), b.service)}
		}
		if err := pause(ctx, p.Interval); err != nil {
			return err
		}
	}
	if err := p.Hand.Kill(b.service); err != nil {
		return err
	}
	free()
	calls.Wait()
	for i, record := range records {
		p.early[record.Number] = answers[i]
	}
	return errors.Join(failures...)
}

// pause waits; its error says that ctx ended first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
