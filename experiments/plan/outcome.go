package plan

import (
	"slices"
	"strconv"
	"strings"
)

// The events that end an activity with an outcome: it was answered with what
// it asked for, answered otherwise, or not answered.
const (
	Accepted = "accepted"
	Rejected = "rejected"
	Failed   = "failed"
)

// Outcomes of an activity that is one request, as Step.Expect names them.
// Rejected stands alone or with a code, such as "rejected 500".
const (
	Refused        = "refused"
	ConnectionLost = "connection-lost"
	TimedOut       = "timeout"
	DNSFailed      = "dns"
	TLSFailed      = "tls"
	Other          = "other"
)

// Any is what Step.Expect says when each of them will do.
const Any = "any"

func Outcomes() []string {
	return []string{Accepted, Rejected, Refused, ConnectionLost, TimedOut, DNSFailed, TLSFailed, Other}
}

func IsOutcome(text string) bool {
	name, code, coded := strings.Cut(text, " ")
	if !coded {
		return slices.Contains(Outcomes(), text)
	}
	number, err := strconv.Atoi(code)
	return name == Rejected && err == nil && number >= 100 && number <= 599 && strconv.Itoa(number) == code
}

// Matches reports whether the outcome is the one that is expected: "rejected"
// takes every code, and nothing, or [Any], takes everything.
func Matches(expected, outcome string) bool {
	return expected == "" || expected == Any || expected == outcome || expected == Rejected && strings.HasPrefix(outcome, Rejected+" ")
}

// Unanswered reports whether an activity with this outcome may have sent
// something that was not answered. An activity that came to no outcome may.
func Unanswered(outcome string) bool {
	return endOf(outcome) == Failed && outcome != Refused && outcome != DNSFailed && outcome != TLSFailed
}

// endOf is the event that an activity with this outcome ends with.
func endOf(outcome string) string {
	switch {
	case outcome == Accepted:
		return Accepted
	case strings.HasPrefix(outcome, Rejected):
		return Rejected
	}
	return Failed
}

// Verdicts that Step.Otherwise maps outcomes to.
const (
	OtherwiseFailed = "failed"
	OtherwiseError  = "error"
)
