package probes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
	"github.com/emco-chaos/emco-chaos/probes/emco"
)

// sight is how a microservice looked at one moment.
type sight struct {
	at time.Time
	// look is one word: answered, refused, EOF, reset, hang, unreachable,
	// an HTTP status, or the kind of another outcome.
	look string
	// words are the wire's or EMCO's.
	words string
	down  bool
}

const (
	lookAnswered = "answered"
	lookRefused  = "refused"
)

// sightTimeout bounds one look, dialling included; dialLimit its dialling.
const (
	sightTimeout = 2 * time.Second
	dialLimit    = time.Second
)

// door is what one looks at to see whether a microservice is there.
type door struct {
	service emco.Service
	request emco.Request
}

// door is a GET that a microservice can answer from its database only, or
// that of the call's status if there is a call. Rsync has no REST API: its
// door is its port.
func (s Subject) door(service emco.Service, call *emco.Call) door {
	d := door{service: service}
	switch {
	case call != nil:
		d.request = call.Status(s.Names)
	case service == emco.Orchestrator:
		d.request = emco.Get(s.Names.Anchor("{project}"))
	case service == emco.DCM:
		d.request = emco.Get(s.Names.Anchor("{logicalCloud}"))
	case service == emco.CLM:
		d.request = emco.Get(s.Names.Anchor("{provider}"))
	}
	return d
}

// look looks once. An error means that looking is of no use.
func (s Subject) look(ctx context.Context, d door) (sight, error) {
	ctx, cancel := context.WithTimeout(ctx, sightTimeout)
	defer cancel()
	if d.service == emco.Rsync {
		return s.knock(ctx)
	}
	answer, err := s.Client.Do(ctx, d.request)
	if err != nil {
		return sight{}, err
	}
	seen := sight{at: answer.Ended, words: answer.String()}
	switch {
	case answer.Outcome.Kind == emco.Accepted || answer.Missing():
		seen.look = lookAnswered
	case answer.Outcome.Kind == emco.Rejected:
		seen.look = strconv.Itoa(answer.Code)
	case answer.Outcome.Down() != "":
		seen.look, seen.down = answer.Outcome.Down(), true
	default:
		seen.look = string(answer.Outcome.Kind)
	}
	return seen, forbidden(answer)
}

// glimpse is what looking once came to, for a volley.
type glimpse struct {
	sight
	err error
}

// glimpse looks once each time that it is called.
func (s Subject) glimpse(d door) func(context.Context) glimpse {
	return func(ctx context.Context) glimpse {
		seen, err := s.look(ctx, d)
		return glimpse{seen, err}
	}
}

// knock connects to rsync's port.
func (s Subject) knock(ctx context.Context) (sight, error) {
	if _, _, err := s.Setup.rsync(); err != nil {
		return sight{}, err
	}
	dialer := net.Dialer{Timeout: dialLimit}
	connection, err := dialer.DialContext(ctx, "tcp", s.Setup.Rsync)
	seen := sight{at: time.Now(), look: lookAnswered, words: "connected to " + s.Setup.Rsync}
	if err == nil {
		return seen, connection.Close()
	}
	seen.words, seen.down = document.Shown(err.Error()), true
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		seen.look = lookRefused
	case errors.Is(err, syscall.ECONNRESET):
		seen.look = "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		seen.look = "hang"
	default:
		seen.look = "unreachable"
	}
	return seen, nil
}

// sights counts how a microservice looked and notes each change.
type sights struct {
	began   time.Time
	service emco.Service
	changes changes
	counts  map[string]int
	first   map[string]time.Time
	down    time.Time // of the first sight of it down
	last    sight
}

func newSights(service emco.Service, observer Observer) *sights {
	return &sights{
		began: time.Now(), service: service, changes: changes{observer: observer},
		counts: map[string]int{}, first: map[string]time.Time{},
	}
}

func (s *sights) add(seen sight) {
	s.last = seen
	s.counts[seen.look]++
	if s.counts[seen.look] == 1 {
		s.first[seen.look] = seen.at
	}
	if seen.down && s.down.IsZero() {
		s.down = seen.at
	}
	if seen.look != s.changes.last {
		s.changes.last = seen.look
		s.changes.observer.Note(seen.at, fmt.Sprintf("%s: %s: %s", s.service, seen.look, seen.words))
	}
}

// evidence is how often each look was seen, when first, and when the
// microservice was first seen down, all counted from the probe's start.
func (s *sights) evidence() map[string]string {
	evidence := map[string]string{}
	for look, count := range s.counts {
		evidence[look] = strconv.Itoa(count)
		evidence["first "+look] = shown(s.first[look].Sub(s.began))
	}
	if !s.down.IsZero() {
		evidence["first down"] = shown(s.down.Sub(s.began))
	}
	return evidence
}

func (s *sights) lastWords() string {
	if s.last.look == "" {
		return "nothing was seen"
	}
	return "last seen: " + s.last.words
}
