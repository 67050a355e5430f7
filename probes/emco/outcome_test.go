package emco

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestDown(t *testing.T) {
	for want, outcome := range map[string]Outcome{
		"refused":     {Kind: Refused},
		"EOF":         {Kind: ConnectionLost, Words: "unexpected EOF"},
		"reset":       {Kind: ConnectionLost, Words: "read: connection reset by peer"},
		"hang":        {Kind: Timeout},
		"unreachable": {Kind: Other, Words: "connect: no route to host"},
	} {
		if got := outcome.Down(); got != want || outcome.Answered() {
			t.Errorf("%+v: %q, answered %t, want %q", outcome, got, outcome.Answered(), want)
		}
	}
	for _, outcome := range []Outcome{{Kind: Accepted}, {Kind: Rejected}, {Kind: TLSFailure}, {Kind: Other, Words: "given up by the caller"}} {
		if got := outcome.Down(); got != "" {
			t.Errorf("%+v: %q", outcome, got)
		}
	}
}

func TestDial(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	answer := Dial(t.Context(), address, 10*time.Second)
	if answer.Outcome.Kind != Accepted || answer.String() != "connected to "+address || answer.Ended.Before(answer.Started) {
		t.Errorf("%s: %+v", answer, answer)
	}
	listener.Close()
	answer = Dial(t.Context(), address, 10*time.Second)
	if answer.Outcome.Kind != Refused || !strings.HasSuffix(answer.String(), "connect: connection refused") {
		t.Errorf("%s: %+v", answer, answer)
	}
}
