package emco

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/emco-chaos/emco-chaos/probes/document"
)

type OutcomeKind string

const (
	Accepted OutcomeKind = "accepted" // EMCO answered 2xx
	Rejected OutcomeKind = "rejected" // EMCO answered with another code
	// Refused: connect: connection refused; behind an ingress its 502, 503 or
	// 504 for a service that was down before.
	Refused OutcomeKind = "refused"
	// ConnectionLost: the connection was made and broke before an answer was here
	// whole: EOF, connection reset by peer, broken pipe, an ingress's 502, 503 or 504.
	ConnectionLost OutcomeKind = "connection-lost"
	Timeout        OutcomeKind = "timeout" // the limit of the call or of its dialling passed
	DNSFailure     OutcomeKind = "dns"     // the name was not found
	TLSFailure     OutcomeKind = "tls"     // the handshake failed
	Other          OutcomeKind = "other"   // see the words
)

func OutcomeKinds() []OutcomeKind {
	return []OutcomeKind{Accepted, Rejected, Refused, ConnectionLost, Timeout, DNSFailure, TLSFailure, Other}
}

// Outcome is the end of a call.
type Outcome struct {
	Kind OutcomeKind
	Code int // the HTTP status, EMCO's or an ingress's
	// Words are the wire's own, such as "EOF" or "dial tcp 192.0.2.1:9015:
	// connect: connection refused"; empty for a call that EMCO answered.
	Words   string
	Sent    bool // the whole request had left
	Gateway bool // an ingress answered, not EMCO
}

// String is the outcome's kind, with the code if it is a rejection.
func (o Outcome) String() string {
	if o.Kind == Rejected {
		return string(o.Kind) + " " + strconv.Itoa(o.Code)
	}
	return string(o.Kind)
}

// Answered reports whether EMCO itself answered.
func (o Outcome) Answered() bool { return o.Kind == Accepted || o.Kind == Rejected }

// Down is how a microservice that is down appears to a client: refused, EOF,
// reset, hang or unreachable; empty if it does not appear down.
func (o Outcome) Down() string {
	switch {
	case o.Kind == Refused, o.Gateway:
		return "refused"
	case o.Kind == ConnectionLost && strings.Contains(o.Words, "EOF"):
		return "EOF"
	case o.Kind == ConnectionLost:
		return "reset"
	case o.Kind == Timeout:
		return "hang"
	case o.Kind == Other && (strings.Contains(o.Words, "no route to host") || strings.Contains(o.Words, "unreachable")):
		return "unreachable"
	}
	return ""
}

// Dial connects to a service that has no REST API, and hangs up. The outcome
// of one that listens is [Accepted].
func Dial(ctx context.Context, address string, limit time.Duration) Answer {
	answer := Answer{Started: time.Now()}
	dialer := net.Dialer{Timeout: limit}
	connection, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil {
		answer.Outcome = Outcome{Kind: Accepted, Words: "connected to " + address}
		connection.Close()
	} else {
		answer.Outcome = outcome(ctx, 0, err, "")
	}
	answer.Ended = time.Now()
	return answer
}

// handshakeError marks what went wrong in a TLS handshake.
type handshakeError struct{ error }

func (e handshakeError) Unwrap() error { return e.error }

// FromGateway reports whether a code is one by which what stands in front of a service says that it does not answer.
func FromGateway(code int) bool {
	return code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout
}

// outcome sorts the end of a round trip. ctx is the caller's, without the
// client's own timeout, and gateway the kind of an answer that is an ingress's.
func outcome(ctx context.Context, code int, err error, gateway OutcomeKind) Outcome {
	switch {
	case err == nil && code >= 200 && code < 300:
		return Outcome{Kind: Accepted, Code: code}
	case err == nil && gateway != "" && FromGateway(code):
		return Outcome{Kind: gateway, Code: code, Gateway: true,
			Words: fmt.Sprintf("the ingress answered %d %s", code, http.StatusText(code))}
	case err == nil:
		return Outcome{Kind: Rejected, Code: code}
	}

	o := Outcome{Kind: Other, Words: document.Shown(err.Error())}
	_, dns := errors.AsType[*net.DNSError](err)
	_, handshake := errors.AsType[handshakeError](err)
	failure, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		o.Words = "given up by the caller"
	case dns:
		o.Kind = DNSFailure
	case errors.Is(err, context.DeadlineExceeded), ok && failure.Timeout():
		o.Kind = Timeout
	case errors.Is(err, syscall.ECONNREFUSED):
		o.Kind = Refused
	case strings.Contains(err.Error(), "server closed idle connection"):
		// http.Transport's error for a connection that ended before anything
		// was written to it.
		o.Kind, o.Words = ConnectionLost, "EOF"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		o.Kind = ConnectionLost
	case handshake:
		o.Kind = TLSFailure
	}
	return o
}
